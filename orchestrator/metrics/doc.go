// Package metrics reports a running cluster to Prometheus.
//
//	                  ┌─ Status ──────────────────────┐
//	Controller ───────┼─ Events ─► tally (counters)   ├─► gather ─► text, GET /metrics
//	                  └─ Health ─► sample, kept 5 s ──┘   (pure)
//
// [Handler] answers a scrape. Labels are the cluster, and the node for what a node reports; a
// state, a class of exits and a kind of faults have a fixed set of values. README.md lists all
// metrics.
//
// A scrape does not load the nodes: they are sampled at most every 5 seconds, however many
// scrapers there are, and not at all without a scraper. It has a deadline. If the nodes do not
// answer within it, the metrics of their samples are left out, and
// beamyard_health_sample_failures_total counts that; everything else is there.
//
// The names, types and formats are those of github.com/prometheus/client_golang: its linter and its
// comparison of texts test what this package writes.
//
// # Threads
//
// [Handler] starts one goroutine, which follows the cluster's events until its context ends.
// Scrapes run on the goroutines of the HTTP server; one of them at a time samples the nodes.
package metrics
