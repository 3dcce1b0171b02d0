// Package bench holds what `make bench` measured, and renders it: lines for benchstat, the
// tables of orchestrator/e2e/BENCH.md and README.md, and the plot .github/bench.svg. It is pure.
// Its tests with the build tag bench measure.
//
//	TestBench, on a real engine ─► Run ─► testdata/bench.json ─► BENCH.md, README.md, bench.svg
//	                                └──► bin/bench.new.txt, for benchstat
//
// All rows of a Run were measured by one process, one after the other. A row beside a floor or
// another tool has pairs: both were measured in the same round, in an order that is reversed from
// round to round. Machines are noisy, so a row is judged by the median of its pairs' ratios.
//
// # Threads
//
// None.
package bench
