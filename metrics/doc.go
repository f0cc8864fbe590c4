// Package metrics counts and times what happens, and writes that down in the text form
// that Prometheus reads.
//
// It owns histograms and that form. It must never know what is counted: the packages that
// do the work hold the figures, and whoever serves them knows their names. Counting costs
// a few atomic additions, so that it can go on all the time.
//
//	took := metrics.NewHistogram(metrics.Quick)
//	took.Observe(time.Since(began))
//	page.Histogram("db_sync_seconds", took)
package metrics
