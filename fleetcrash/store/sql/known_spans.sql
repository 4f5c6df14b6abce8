-- What hosts were, as the view host_spans tells it, to be kept: several questions of one look read it.
SELECT * FROM host_spans
