"""Operations that several plugins share: attention over depth, and norms. Import the modules; this package is light."""
