"""Reports: one HTML file without network, figures as SVG and PNG inside it."""
