"""HTML reports of an evaluation or a suite: one file that needs no network, figures as SVG and PNG inside it."""
