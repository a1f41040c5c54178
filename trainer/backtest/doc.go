// Package backtest replays recorded events through the stages of a project, in one process, and reports how good its models
// would have been: candidates side by side, on the same records, under the real delay of labels.
//
// It stands beside the flow: it hands the same items to the same units, joiners and learners
// (trainer.NewReplayTo, models/fold) and adds scores. From sources it orders files or topics with the core of the
// sequencer, so that other features can be tried on old records; as live it folds an events log and gets the same bits as
// the run that wrote it. It does no I/O and reads no clock: records, time and reports go through what Options hands in.
package backtest
