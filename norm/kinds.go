package norm

// kinds are all forms, in the order of their mention.
var kinds = []*Kind{
	native, rmsFolded, rmsNaive, layer, rmsReaders,
	fixed, fixedRMS, fixedMean, none,
	prms, scaleNorm, l1, maxNorm,
	dyt, derf, calibrated,
}
