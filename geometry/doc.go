// Package geometry measures hidden vectors and what a norm does to them: the
// quantities of "Geometric Interpretation of Layer Normalization and a
// Comparative Analysis with RMSNorm" (arXiv 2409.12951), streamed over any
// number of tokens in memory that depends on the number of sites alone.
//
// It knows floats, not models: a runner describes its norm sites ([Site]),
// creates a [Collector], and hands over what goes into and comes out of each
// norm. [Collector.State] holds the statistics, which merge exactly across
// machines; [State.Result] is the finished report as geometry.json lays it out.
//
// # Definitions
//
// x is a vector of R^d, 1 the all-ones ("uniform") vector of norm sqrt(d),
// mu = x.1/d and theta the angle between x and 1.
//
//   - LayerNorm: std = (x - mu 1)/sqrt(var + eps), var = |x - mu 1|^2/d.
//   - RMSNorm: std = x/sqrt(|x|^2/d + eps).
//   - Either way out = gain*std + bias, elementwise.
//   - The energy share is cos^2(theta) = d mu^2/|x|^2: how much of |x|^2 lies
//     along 1, which is what LayerNorm removes and RMSNorm keeps.
//   - A degenerate vector is a multiple of 1, the zero vector included:
//     LayerNorm maps it to zero.
//   - A random direction stands at 90 degrees with a standard deviation of
//     (180/pi)/sqrt(d) degrees ([NullAngleSD]); its share is 1/d on average.
//
// Sums are float64, deviations from the mean are centered before they are
// squared, and angles come from atan2, so those near 0, 90 and 180 degrees
// are as good as the input.
package geometry
