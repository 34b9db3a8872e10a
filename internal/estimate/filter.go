package estimate

import "math"

// filter learns the coefficients of the features from real counts: recursive
// least squares as a Kalman filter, with a prior around 1 and coefficients
// that may drift. Everything is relative to the size of the request, so that
// a large one does not outvote a hundred small ones. Besides the expected
// count it yields how far that may be off.
type filter struct {
	theta   features
	cov     [numFeatures][numFeatures]float64 // of the error of theta
	noise   float64                           // variance of what no coefficients explain
	samples int
}

// What is assumed before anything is learned, as standard deviations. The
// rules for images are the upstream's own; those for pages are rough; and
// texts in one language are wrong together.
const (
	priorCommon = 0.15
	priorNoise  = 0.08
	drift       = 0.002 // of each coefficient, per call
	noiseFloor  = 0.005
	noiseGain   = 0.05
	outlier     = 4.0 // standard errors; a call that is further off counts as this far
	trusting    = 8   // calls before anything can be an outlier
	thetaLow    = 0.3
	thetaHigh   = 3.0
)

var prior = features{prose: 0.20, code: 0.25, foreign: 0.25, wide: 0.20, frame: 0.40, images: 0.08, pages: 0.50}

func newFilter() filter {
	f := filter{noise: sq(priorNoise)}
	for i := range f.theta {
		f.theta[i] = 1
		f.cov[i][i] = sq(prior[i])
	}
	for i := range frame {
		for j := range frame {
			f.cov[i][j] += sq(priorCommon)
		}
	}
	return f
}

// share divides the features by their sum.
func share(x features) (features, float64) {
	total := x.sum()
	for i := range x {
		x[i] /= max(total, 1)
	}
	return x, max(total, 1)
}

// predict returns the expected tokens of x, and their variance.
func (f *filter) predict(x features) (tokens, variance float64) {
	h, total := share(x)
	_, v := f.gain(&h)
	return f.ratio(&h) * total, (v + f.noise) * sq(total)
}

func (f *filter) ratio(h *features) (r float64) {
	for i, v := range h {
		r += v * min(max(f.theta[i], thetaLow), thetaHigh)
	}
	return r
}

// gain returns cov·h and h·cov·h.
func (f *filter) gain(h *features) (g features, v float64) {
	for i := range g {
		for j, hj := range h {
			g[i] += f.cov[i][j] * hj
		}
		v += h[i] * g[i]
	}
	return g, v
}

// learn takes the real count of a request with features x.
func (f *filter) learn(x features, actual float64) {
	h, total := share(x)
	g, v := f.gain(&h)
	s := v + f.noise
	z := actual / total
	for i := range h {
		z -= h[i] * f.theta[i]
	}
	f.samples++
	if far := outlier * math.Sqrt(s); f.samples > trusting {
		z = min(max(z, -far), far)
	}
	for i := range f.theta {
		f.theta[i] += g[i] / s * z
		for j := range f.theta {
			f.cov[i][j] -= g[i] * g[j] / s
		}
	}
	// The innovation times the residual is an unbiased sample of the noise.
	k := max(noiseGain, 1/float64(f.samples+3))
	f.noise = max(sq(noiseFloor), f.noise+k*(z*z*f.noise/s-f.noise))
	f.drift()
}

// drift lets old knowledge fade, up to the prior's doubt.
func (f *filter) drift() {
	for i := range f.theta {
		if limit := sq(prior[i]) + sq(priorCommon); f.cov[i][i] < limit {
			f.cov[i][i] += sq(drift)
		}
	}
}

// heir is what somebody else's experience is worth to a newcomer: its best
// guess, with more doubt.
func (f *filter) heir() filter {
	h := *f
	h.samples = 0
	h.noise = max(h.noise, sq(priorNoise/2))
	for i := range h.theta {
		h.cov[i][i] += sq(prior[i] / 4)
	}
	return h
}

func sq(x float64) float64 { return x * x }
