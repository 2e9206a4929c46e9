"""The command line of docker: its words read, carried out, and answered in docker's own shapes."""
