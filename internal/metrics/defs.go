package metrics

import "github.com/prometheus/client_golang/prometheus"

// Buckets of durations: latencies of calls and commits, and of labels that come hours or days later.
var (
	fast = []float64{.00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
	slow = []float64{1, 10, 60, 300, 900, 3600, 2 * 3600, 6 * 3600, 12 * 3600, 86400, 2 * 86400, 7 * 86400, 30 * 86400}
	unit = prometheus.LinearBuckets(.05, .05, 20)
)

// Sequencing is what the sequencer sets.
type Sequencing struct {
	Events      *prometheus.CounterVec
	Refused     *prometheus.CounterVec
	Late        *prometheus.CounterVec
	TextsCut    *prometheus.CounterVec
	DeadLetters *prometheus.CounterVec
	SourceLag   *prometheus.GaugeVec
	Queued      *prometheus.GaugeVec
	Head        *prometheus.GaugeVec
	Watermark   *prometheus.GaugeVec
	Skewed      *prometheus.GaugeVec
}

func (s *Sequencing) define(a *area) {
	s.Events = a.counter("freshet_events_total", "Records that were accepted as events.", "source")
	s.Refused = a.counter("freshet_events_refused_total", "Records that were refused; reason is the class of the refusal.", "source", "reason")
	s.Late = a.counter("freshet_events_late_total", "Accepted events behind the watermark.", "source")
	s.TextsCut = a.counter("freshet_texts_cut_total", "Accepted events of which a text was longer than its field takes (bytes: in the project file), and was cut.", "source")
	s.DeadLetters = a.counter("freshet_dead_letters_total", "Records written to the dead-letter topic.", "source")
	s.SourceLag = a.gauge("freshet_source_lag_records", "Records of the source topic that are not yet in the order.", "source")
	s.Queued = a.gauge("freshet_sequencer_queued_records", "Records that were read and wait for their turn in the order.")
	s.Head = a.gauge("freshet_head_timestamp_seconds", "Newest event time of the order, seconds since 1970.")
	s.Watermark = a.gauge("freshet_watermark_timestamp_seconds", "Event time before which events are late, seconds since 1970.")
	s.Skewed = a.gauge("freshet_skewed_examples_ratio", "Share of the newest examples that came more than max_skew behind the head and are not learned, 0 to 1.", "source")
}

// Units is what feature units set.
type Units struct {
	FeatureLag  *prometheus.GaugeVec
	FeatureHead *prometheus.GaugeVec
	Freshness   *prometheus.HistogramVec
	Commit      *prometheus.HistogramVec
	CommitSize  *prometheus.HistogramVec
	NotFinite   *prometheus.CounterVec
	LeftOut     *prometheus.CounterVec
	CapHits     *prometheus.CounterVec
	Cached      *prometheus.GaugeVec
}

func (u *Units) define(a *area) {
	u.FeatureLag = a.gauge("freshet_feature_lag_seconds", "Event time between the head of the order and the state that lags most; in a process that runs both the sequencer and units.", "entity")
	u.FeatureHead = a.gauge("freshet_feature_head_timestamp_seconds", "Newest event time that the states are committed up to, of the partition here that lags most, seconds since 1970.", "entity")
	u.Freshness = a.histogram("freshet_feature_freshness_seconds", "Time from the sequencer taking a record to the commit of all its effects, sampled.", fast)
	u.Commit = a.histogram("freshet_commit_duration_seconds", "Duration of one commit of states and positions, which the partitions of a worker share, the wait for their parts included.", fast, "partition")
	u.CommitSize = a.histogram("freshet_commit_entities", "Entities in one commit, which the partitions of a worker share.", prometheus.ExponentialBuckets(1, 2, 11), "partition")
	u.NotFinite = a.counter("freshet_feature_not_finite_total", "Results that were not finite and became missing.", "entity")
	u.LeftOut = a.counter("freshet_feature_left_out_total", "Events that came too late for the windows they belong to.", "entity")
	u.Cached = a.gauge("freshet_state_cached_entities", "Entities in memory, of the worker that has the partition.", "partition")
	u.CapHits = a.counter("freshet_feature_cap_hits_total", "Times that exact raw events, open things or distinct values hit their cap.", "entity")
}

// Joining is what joiners set.
type Joining struct {
	Examples   *prometheus.CounterVec
	NotLearned *prometheus.CounterVec
	Pending    *prometheus.GaugeVec
	Join       *prometheus.CounterVec
	JoinRate   *prometheus.GaugeVec
	LabelDelay *prometheus.HistogramVec
}

func (j *Joining) define(a *area) {
	j.Examples = a.counter("freshet_examples_total", "Examples, one for each trigger.", "trigger")
	j.NotLearned = a.counter("freshet_examples_not_learned_total", "Examples that are predicted and not learned, since their trigger came too late.", "trigger")
	j.Pending = a.gauge("freshet_examples_pending", "Examples that wait for their label.", "trigger")
	j.Join = a.counter("freshet_label_join_total", "Labels by outcome: joined, missing, corrected, orphan, late, twice, unusable.", "trigger", "outcome")
	j.JoinRate = a.gauge("freshet_label_join_ratio", "Share of the examples whose wait is over that got a label, 0 to 1.", "trigger")
	j.LabelDelay = a.histogram("freshet_label_delay_seconds", "Event time from an example to its label.", slow, "trigger")
}

// Learning is what learners set.
type Learning struct {
	Learned          *prometheus.CounterVec
	Loss             *prometheus.GaugeVec
	RecentLoss       *prometheus.GaugeVec
	Difference       *prometheus.GaugeVec
	DifferenceBand   *prometheus.GaugeVec
	Drift            *prometheus.CounterVec
	FeatureDrift     *prometheus.GaugeVec
	FeatureThreshold *prometheus.GaugeVec
	FeatureAlert     *prometheus.GaugeVec
	FeatureMissing   *prometheus.GaugeVec
	ModelFreshness   *prometheus.HistogramVec
	PublishRefused   *prometheus.CounterVec
	StateBytes       *prometheus.GaugeVec
	ModelDropped     *prometheus.CounterVec
	Checkpoint       *prometheus.HistogramVec
	CheckpointAge    *prometheus.GaugeVec
	CheckpointFails  *prometheus.CounterVec
}

func (l *Learning) define(a *area) {
	l.Learned = a.counter("freshet_learn_events_total", "Labels that a model has learned.", "model")
	l.Loss = a.gauge("freshet_prequential_loss", "Score so far of answers given before their label was learned, by metric.", "model", "metric")
	l.RecentLoss = a.gauge("freshet_recent_loss", "Mean of what the drift detector is given since the last change that it saw: log-loss of classifiers, or their error rate where the detector counts errors; absolute error of the rest.", "model")
	l.Difference = a.gauge("freshet_challenger_loss_difference", "Mean loss of a challenger or baseline less that of the served model, over the newest examples (1,000 to 4,096) that both were scored on; below 0: it is better. Told by the process that learns.", "model", "of")
	l.DifferenceBand = a.gauge("freshet_challenger_loss_band", "Half the width of the band of that difference: three standard errors, from the means of 20 blocks.", "model", "of")
	l.Drift = a.counter("freshet_drift_events_total", "What a detector on the loss has said: level drift, a change that it has seen; warning, that it began to suspect one.", "model", "detector", "level")
	l.FeatureDrift = a.gauge("freshet_feature_drift_score", "Distance of a feature's distribution from its reference, by measure (psi, jensen_shannon, ks or wasserstein); the features that drifted most.", "trigger", "feature", "stat")
	l.FeatureThreshold = a.gauge("freshet_feature_drift_threshold", "Distance above which a feature counts as drifted, given the sample sizes.", "trigger", "feature", "stat")
	l.FeatureAlert = a.gauge("freshet_feature_drift_alert_threshold", "Distance above which drift of a feature asks for somebody's time, as the project says for its measure; at least the threshold.", "trigger", "feature", "stat")
	l.FeatureMissing = a.gauge("freshet_feature_missing_ratio", "Share of the newest examples in which a feature was missing, 0 to 1.", "trigger", "feature")
	l.ModelFreshness = a.histogram("freshet_model_freshness_seconds", "Time from the sequencer taking a label to a published version that has learned it, sampled.", fast, "model")
	l.PublishRefused = a.counter("freshet_publish_refused_total", "Times that the publish guard began to hold back versions.", "model")
	l.StateBytes = a.gauge("freshet_model_state_bytes", "Size of a model's saved state.", "model")
	l.ModelDropped = a.counter("freshet_model_dropped_total", "What the bounds of a model have cost: leaves deactivated, entities evicted and the like. docs/reference/models.md says which model counts what.", "model", "what")
	l.Checkpoint = a.histogram("freshet_checkpoint_duration_seconds", "Duration of one checkpoint.", fast, "stage", "trigger")
	l.CheckpointAge = a.gauge("freshet_checkpoint_timestamp_seconds", "When the newest good checkpoint was written, seconds since 1970.", "stage", "trigger")
	l.CheckpointFails = a.counter("freshet_checkpoint_failures_total", "Checkpoints that could not be written.", "stage", "trigger")
}

// Serving is what servers set.
type Serving struct {
	Predictions *prometheus.CounterVec
	Duration    *prometheus.HistogramVec
	Score       *prometheus.HistogramVec
	NotFound    *prometheus.CounterVec
	Lookups     *prometheus.CounterVec
	StoreRead   *prometheus.HistogramVec
	Feedback    *prometheus.CounterVec
	AskedCut    *prometheus.CounterVec
	LogDropped  *prometheus.CounterVec
	LogWrite    *prometheus.HistogramVec
	InFlight    *prometheus.GaugeVec
	Rejected    *prometheus.CounterVec
	Panics      *prometheus.CounterVec
	Reloads     *prometheus.CounterVec
	// CertificateEnd is when the certificate that is shown ends.
	CertificateEnd *prometheus.GaugeVec
	HTTP           *prometheus.CounterVec
	SnapshotAge    *prometheus.GaugeVec
	TrainedUntil   *prometheus.GaugeVec
	Version        *prometheus.GaugeVec
	Held           *prometheus.GaugeVec
	Stale          *prometheus.GaugeVec
	Ready          *prometheus.GaugeVec
	Info           *prometheus.GaugeVec
}

func (s *Serving) define(a *area) {
	s.Predictions = a.counter("freshet_predictions_total", "Answers by model and gRPC code.", "model", "code")
	s.Duration = a.histogram("freshet_prediction_duration_seconds", "Duration of one Predict call without transport.", fast, "model")
	s.Score = a.histogram("freshet_prediction_score", "Answers of binary and anomaly models.", unit, "model")
	s.NotFound = a.counter("freshet_prediction_entities_not_found_total", "Entities asked for that were never seen or are forgotten.", "entity")
	s.Lookups = a.counter("freshet_lookups_total", "GetFeatures calls by gRPC code.", "code")
	s.StoreRead = a.histogram("freshet_state_read_duration_seconds", "Duration of the one round trip that reads the states of a call.", fast)
	s.Feedback = a.counter("freshet_feedback_total", "Labels that came by Feedback, by gRPC code.", "model", "code")
	s.AskedCut = a.counter("freshet_prediction_texts_cut_total", "Texts of Predict calls that were longer than their field takes (bytes: in the project file), and were cut.", "model")
	s.LogDropped = a.counter("freshet_prediction_log_dropped_total", "Served vectors that could not be logged (log: async).", "model")
	s.LogWrite = a.histogram("freshet_prediction_log_duration_seconds", "Duration of writing served vectors to the log.", fast)
	s.InFlight = a.gauge("freshet_serving_in_flight", "Calls being answered.")
	s.Rejected = a.counter("freshet_serving_rejected_total", "Calls that were turned away: in_flight, waited (longer than serving.max_wait), rows, deadline, unauthenticated, forbidden (a token without the scope), host (a name that is not the server's), cross_site (a page of another site).", "reason")
	s.Panics = a.counter("freshet_serving_panics_total", "Calls that ended in a bug; the log has the stack.")
	s.Reloads = a.counter("freshet_serving_reloads_total", "Changed files of certificates and tokens: taken up (ok) or not usable, the former staying (failed).", "what", "result")
	s.CertificateEnd = a.gauge("freshet_serving_certificate_end_timestamp_seconds", "When the certificate that is shown to clients ends, seconds since 1970.")
	s.HTTP = a.counter("freshet_http_requests_total", "HTTP requests by route and status.", "route", "status")
	s.SnapshotAge = a.gauge("freshet_model_snapshot_age_seconds", "Time since the server last knew that it had the newest version.", "model")
	s.TrainedUntil = a.gauge("freshet_model_trained_until_timestamp_seconds", "Newest event time of a label that the served version has learned, seconds since 1970.", "model")
	s.Version = a.gauge("freshet_model_version", "Version served: ordinal in the example log.", "model")
	s.Held = a.gauge("freshet_model_held", "1 while the publish guard holds the last good version.", "model")
	s.Stale = a.gauge("freshet_model_stale", "1 while answers are marked stale, since the model has learned nothing for max_age.", "model")
	s.Ready = a.gauge("freshet_serving_ready", "1 while /readyz says ready, else 0.")
	s.Info = a.gauge("freshet_model_info", "1; the labels describe the model.", "model", "of", "task", "pipeline")
}

// Stages is what the runtime of every stage sets.
type Stages struct {
	Lag      *prometheus.GaugeVec
	Running  *prometheus.GaugeVec
	Restarts *prometheus.CounterVec
}

func (s *Stages) define(a *area) {
	s.Lag = a.gauge("freshet_stage_lag_records", "Items of its log that a stage has still to read, of the stages that run in this process; the end of a log that another process writes is looked at every 5 s.", "stage", "of")
	s.Running = a.gauge("freshet_stage_running", "1 while the stage runs, 0 while it waits to try again; absent in a process that does not own it.", "stage", "of")
	s.Restarts = a.counter("freshet_stage_restarts_total", "Times that a stage was ended other than by a stop, by class of the error: final, retriable or none.", "stage", "of", "class")
}

// Process is what every process sets, whatever its roles.
type Process struct {
	Build   *prometheus.GaugeVec
	Project *prometheus.GaugeVec
	Role    *prometheus.GaugeVec
}

func (p *Process) define(a *area) {
	p.Build = a.gauge("freshet_build_info", "1; the label is what the process was built from.", "build")
	p.Project = a.gauge("freshet_project_info", "1; the labels describe the compiled project: its generation and its clock, wall or events.", "generation", "clock")
	p.Role = a.gauge("freshet_role", "1 for each role of the process: features, trainer, serve.", "role")
}
