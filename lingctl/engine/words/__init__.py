"""What any engine's daemons print: lines, known failures, and which node failed first. Pure."""
