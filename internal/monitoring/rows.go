package monitoring

// Rows are the dashboard, from the first question to the last.
var Rows = []Row{
	{Question: "Is it well?", Panels: []Panel{
		{Title: "Servers that are ready", Kind: "stat", Unit: "short", Width: 4, Link: "FreshetNotReady",
			Description: "Servers that say ready. 0: no call is answered. Fewer than you run: one is starting, draining, or waits for a model; its /readyz says for what.",
			Queries: []Query{
				{Expr: `sum(freshet_serving_ready{project="$project"})`, Legend: "ready"},
			}},
		{Title: "Processes by role", Kind: "stat", Unit: "short", Width: 6, Link: "FreshetRoleGone",
			Description: "How many processes have each role. A role that goes to 0 is away.",
			Queries: []Query{
				{Expr: `count by (role) (freshet_role{project="$project"})`, Legend: "{{role}}"},
			}},
		{Title: "Failing answers", Kind: "stat", Unit: "percentunit", Width: 4, Link: "FreshetPredictionErrorsFast", Steps: []Step{{0.001, "orange"}, {0.0144, "red"}},
			Description: "Share of rows that failed by a fault of the service in the last 5 minutes. Up to 0.1 % is within what 30 days allow.",
			Queries: []Query{
				{Expr: `project:freshet_prediction_faults:ratio_rate5m{project="$project"}`, Legend: "faults"},
			}},
		{Title: "Oldest version served", Kind: "stat", Unit: "s", Width: 5, Link: "FreshetModelStale", Steps: []Step{{10, "orange"}, {60, "red"}},
			Description: "Time since a server last knew that it had the newest version of a model; the server and model that is most behind. Above a minute something is wrong.",
			Queries: []Query{
				{Expr: `max(freshet_model_snapshot_age_seconds{project="$project"})`, Legend: "age"},
			}},
		{Title: "Stages that wait", Kind: "stat", Unit: "short", Width: 5, Link: "FreshetStageDown", Steps: []Step{{1, "red"}},
			Description: "Stages that ended with an error in some process and wait to be run again.",
			Queries: []Query{
				{Expr: `count(freshet_stage_running{project="$project"}) - sum(freshet_stage_running{project="$project"})`, Legend: "waiting"},
			}},
	}},
	{Question: "Are calls answered, and how fast?", Panels: []Panel{
		{Title: "Predictions by result", Kind: "timeseries", Unit: "ops", Width: 8, Link: "FreshetPredictionErrorsFast",
			Description: "Rows a second, by gRPC code. Codes that are the caller's (INVALID_ARGUMENT, NOT_FOUND) are no fault of the service.",
			Queries: []Query{
				{Expr: `sum by (code) (rate(freshet_predictions_total{project="$project",model=~"$model"}[$__rate_interval]))`, Legend: "{{code}}"},
			}},
		{Title: "Duration of a prediction", Kind: "timeseries", Unit: "s", Width: 8, Link: "FreshetPredictionsSlow",
			Description: "Quantiles of a Predict call in the server, without transport.",
			Queries: []Query{
				{Expr: `histogram_quantile(0.5, sum by (le) (rate(freshet_prediction_duration_seconds_bucket{project="$project",model=~"$model"}[$__rate_interval])))`, Legend: "p50"},
				{Expr: `histogram_quantile(0.99, sum by (le) (rate(freshet_prediction_duration_seconds_bucket{project="$project",model=~"$model"}[$__rate_interval])))`, Legend: "p99"},
			}},
		{Title: "Duration of gRPC calls", Kind: "timeseries", Unit: "s", Width: 8, Link: "FreshetPredictionsSlow",
			Description: "p99 of whole calls by method, with transport of the request.",
			Queries: []Query{
				{Expr: `histogram_quantile(0.99, sum by (le, grpc_method) (rate(grpc_server_handling_seconds_bucket{project="$project",grpc_service="freshet.v1.Freshet"}[$__rate_interval])))`, Legend: "{{grpc_method}}"},
			}},
		{Title: "Turned away", Kind: "timeseries", Unit: "ops", Width: 8, Link: "FreshetShedding",
			Description: "Calls that were not begun: too many in flight, too many rows, deadline over, no token, draining.",
			Queries: []Query{
				{Expr: `sum by (reason) (rate(freshet_serving_rejected_total{project="$project"}[$__rate_interval]))`, Legend: "{{reason}}"},
			}},
		{Title: "Calls in flight", Kind: "timeseries", Unit: "short", Width: 8, Link: "FreshetShedding",
			Description: "Calls being answered, by server. Uneven: clients keep one connection each.",
			Queries: []Query{
				{Expr: `freshet_serving_in_flight{project="$project"}`, Legend: "{{instance}}"},
			}},
		{Title: "Lookups, feedback and HTTP", Kind: "timeseries", Unit: "ops", Width: 8,
			Description: "Other calls a second: lookups by code, feedback, requests to the HTTP port.",
			Queries: []Query{
				{Expr: `sum by (code) (rate(freshet_lookups_total{project="$project"}[$__rate_interval]))`, Legend: "lookup {{code}}"},
				{Expr: `sum by (code) (rate(freshet_feedback_total{project="$project",model=~"$model"}[$__rate_interval]))`, Legend: "feedback {{code}}"},
				{Expr: `sum by (route) (rate(freshet_http_requests_total{project="$project"}[$__rate_interval]))`, Legend: "{{route}}"},
			}},
	}},
	{Question: "How fresh is it?", Panels: []Panel{
		{Title: "Event to state", Kind: "timeseries", Unit: "s", Width: 8, Link: "FreshetFeaturesNotFresh",
			Description: "From the sequencer taking a record to the commit of all its effects.",
			Queries: []Query{
				{Expr: `histogram_quantile(0.5, sum by (le) (rate(freshet_feature_freshness_seconds_bucket{project="$project"}[$__rate_interval])))`, Legend: "p50"},
				{Expr: `project:freshet_feature_freshness_seconds:p99_rate5m{project="$project"}`, Legend: "p99 (5m)"},
			}},
		{Title: "Label to version", Kind: "timeseries", Unit: "s", Width: 8, Link: "FreshetTrainingStopped",
			Description: "From the sequencer taking a label to a published version that has learned it, p99.",
			Queries: []Query{
				{Expr: `project_model:freshet_model_freshness_seconds:p99_rate5m{project="$project",model=~"$model"}`, Legend: "{{model}}"},
			}},
		{Title: "Age of what is served", Kind: "timeseries", Unit: "s", Width: 8, Link: "FreshetModelStale",
			Description: "Time since servers last knew that they had the newest version: the worst server of each model.",
			Queries: []Query{
				{Expr: `max by (model) (freshet_model_snapshot_age_seconds{project="$project",model=~"$model"})`, Legend: "{{model}}"},
			}},
		{Title: "Event time", Kind: "timeseries", Unit: "dateTimeAsIso", Width: 12, Link: "FreshetWatermarkOld",
			Description: "Newest event of the order, the watermark, the states, and the newest label learned. With clock: wall all should follow the clock.",
			Queries: []Query{
				{Expr: `max(freshet_head_timestamp_seconds{project="$project"}) * 1000`, Legend: "head"},
				{Expr: `max(freshet_watermark_timestamp_seconds{project="$project"}) * 1000`, Legend: "watermark"},
				{Expr: `min by (entity) (freshet_feature_head_timestamp_seconds{project="$project"}) * 1000`, Legend: "states of {{entity}}"},
				{Expr: `max by (model) (freshet_model_trained_until_timestamp_seconds{project="$project",model=~"$model"}) * 1000`, Legend: "{{model}} trained until"},
			}},
		{Title: "Label delay", Kind: "timeseries", Unit: "s", Width: 12,
			Description: "Event time from an example to its label: median and p99. It bounds how soon a model can know.",
			Queries: []Query{
				{Expr: `histogram_quantile(0.5, sum by (le, trigger) (rate(freshet_label_delay_seconds_bucket{project="$project"}[$__rate_interval])))`, Legend: "{{trigger}} p50"},
				{Expr: `histogram_quantile(0.99, sum by (le, trigger) (rate(freshet_label_delay_seconds_bucket{project="$project"}[$__rate_interval])))`, Legend: "{{trigger}} p99"},
			}},
	}},
	{Question: "Does it keep up?", Panels: []Panel{
		{Title: "Events", Kind: "timeseries", Unit: "ops", Width: 8,
			Description: "Records a second that became events, by source.",
			Queries: []Query{
				{Expr: `sum by (source) (rate(freshet_events_total{project="$project"}[$__rate_interval]))`, Legend: "{{source}}"},
			}},
		{Title: "Not in the order yet", Kind: "timeseries", Unit: "short", Width: 8, Link: "FreshetSourceLag",
			Description: "Records of the source topics that the sequencer has not taken, and those that it has read and that wait for their turn.",
			Queries: []Query{
				{Expr: `sum by (source) (freshet_source_lag_records{project="$project"})`, Legend: "{{source}}"},
				{Expr: `sum(freshet_sequencer_queued_records{project="$project"})`, Legend: "queued"},
			}},
		{Title: "Lag of stages", Kind: "timeseries", Unit: "short", Width: 8, Link: "FreshetFeaturesBehind",
			Description: "Items of its log that a stage has still to read: the worst of its partitions.",
			Queries: []Query{
				{Expr: `max by (stage) (freshet_stage_lag_records{project="$project"})`, Legend: "{{stage}}"},
			}},
		{Title: "Commits of states", Kind: "timeseries", Unit: "s", Width: 8, Link: "FreshetCommitsSlow",
			Description: "Duration of a commit to the store, the wait for the parts included.",
			Queries: []Query{
				{Expr: `histogram_quantile(0.5, sum by (le) (rate(freshet_commit_duration_seconds_bucket{project="$project"}[$__rate_interval])))`, Legend: "p50"},
				{Expr: `histogram_quantile(0.99, sum by (le) (rate(freshet_commit_duration_seconds_bucket{project="$project"}[$__rate_interval])))`, Legend: "p99"},
			}},
		{Title: "Reads of states", Kind: "timeseries", Unit: "s", Width: 8, Link: "FreshetStoreSlow",
			Description: "Duration of the round trip to the store that a call makes.",
			Queries: []Query{
				{Expr: `histogram_quantile(0.5, sum by (le) (rate(freshet_state_read_duration_seconds_bucket{project="$project"}[$__rate_interval])))`, Legend: "p50"},
				{Expr: `histogram_quantile(0.99, sum by (le) (rate(freshet_state_read_duration_seconds_bucket{project="$project"}[$__rate_interval])))`, Legend: "p99"},
			}},
		{Title: "Entities in a commit", Kind: "timeseries", Unit: "short", Width: 8,
			Description: "Mean number of entities that one commit writes; many mean catching up.",
			Queries: []Query{
				{Expr: `sum(rate(freshet_commit_entities_sum{project="$project"}[$__rate_interval])) / sum(rate(freshet_commit_entities_count{project="$project"}[$__rate_interval]))`, Legend: "entities"},
			}},
	}},
	{Question: "Is the data good?", Panels: []Panel{
		{Title: "Refused", Kind: "timeseries", Unit: "percentunit", Width: 8, Link: "FreshetRefusals",
			Description: "Share of the records that are refused, by source; they are in the dead-letter topic.",
			Queries: []Query{
				{Expr: `project_source:freshet_refused:ratio_rate15m{project="$project"}`, Legend: "{{source}}"},
			}},
		{Title: "Reasons of refusals", Kind: "timeseries", Unit: "ops", Width: 8, Link: "FreshetRefusals",
			Description: "Refused records a second, by source and reason.",
			Queries: []Query{
				{Expr: `sum by (source, reason) (rate(freshet_events_refused_total{project="$project"}[$__rate_interval]))`, Legend: "{{source}}: {{reason}}"},
			}},
		{Title: "Late, and not learned", Kind: "timeseries", Unit: "percentunit", Width: 8, Link: "FreshetLateEvents",
			Description: "Share of events behind the watermark, and of the newest examples that came too late to be learned.",
			Queries: []Query{
				{Expr: `sum by (source) (rate(freshet_events_late_total{project="$project"}[$__rate_interval])) / sum by (source) (rate(freshet_events_total{project="$project"}[$__rate_interval]))`, Legend: "{{source}} late"},
				{Expr: `max by (source) (freshet_skewed_examples_ratio{project="$project"})`, Legend: "{{source}} not learned"},
			}},
		{Title: "Labels by outcome", Kind: "timeseries", Unit: "ops", Width: 8, Link: "FreshetNoLabels",
			Description: "Labels and ends of waits a second. joined is good; missing: no label came; orphan: a label without example.",
			Queries: []Query{
				{Expr: `sum by (trigger, outcome) (rate(freshet_label_join_total{project="$project"}[$__rate_interval]))`, Legend: "{{trigger}} {{outcome}}"},
			}},
		{Title: "Join rate", Kind: "timeseries", Unit: "percentunit", Width: 8, Link: "FreshetJoinRateDrop",
			Description: "Share of the examples whose wait ended in the last 6 hours that got a label.",
			Queries: []Query{
				{Expr: `project_trigger:freshet_label_join:ratio_rate6h{project="$project"}`, Legend: "{{trigger}}"},
			}},
		{Title: "Examples that wait", Kind: "timeseries", Unit: "short", Width: 8,
			Description: "Examples without a label so far.",
			Queries: []Query{
				{Expr: `sum by (trigger) (freshet_examples_pending{project="$project"})`, Legend: "{{trigger}}"},
			}},
	}},
	{Question: "How good are the models?", Panels: []Panel{
		{Title: "Recent loss", Kind: "timeseries", Unit: "short", Width: 12, Link: "FreshetLossRose",
			Description: "Mean loss since the last change that the detector saw: log-loss of classifiers, absolute error of the rest. Champion, challengers and baselines over the same examples. Marks: changes of the loss.",
			Queries: []Query{
				{Expr: `max by (model) (freshet_recent_loss{project="$project",model=~"$model"})`, Legend: "{{model}}"},
			}},
		{Title: "Scores so far", Kind: "timeseries", Unit: "short", Width: 12, Link: "FreshetLossRose",
			Description: "Scores of answers given before their label was learned, since the beginning.",
			Queries: []Query{
				{Expr: `max by (model, metric) (freshet_prequential_loss{project="$project",model=~"$model"})`, Legend: "{{model}} {{metric}}"},
			}},
		{Title: "Loss of others less that of the served model", Kind: "timeseries", Unit: "short", Width: 24, Link: "FreshetChallengerBetter",
			Description: "Challengers and baselines on the same newest examples, with the upper end of the band of three standard errors. Below 0 with the whole band: better than the served model.",
			Queries: []Query{
				{Expr: `max by (model, of) (freshet_challenger_loss_difference{project="$project",of=~"$model"})`, Legend: "{{model}} − {{of}}"},
				{Expr: `max by (model, of) (freshet_challenger_loss_difference{project="$project",of=~"$model"} + freshet_challenger_loss_band{project="$project",of=~"$model"})`, Legend: "{{model}} − {{of}}, at most"},
			}},
		{Title: "Answers", Kind: "heatmap", Unit: "short", Width: 8, Link: "FreshetFeatureDrift",
			Description: "Distribution of the answers of binary and anomaly models that were asked for. A shift shows before any label does.",
			Queries: []Query{
				{Expr: `sum by (le) (increase(freshet_prediction_score_bucket{project="$project",model=~"$model"}[$__rate_interval]))`, Legend: "{{le}}"},
			}},
		{Title: "Learned", Kind: "timeseries", Unit: "ops", Width: 8, Link: "FreshetTrainingStopped",
			Description: "Labels a second that a model has learned.",
			Queries: []Query{
				{Expr: `max by (model) (rate(freshet_learn_events_total{project="$project",model=~"$model"}[$__rate_interval]))`, Legend: "{{model}}"},
			}},
		{Title: "Held or stale", Kind: "timeseries", Unit: "short", Width: 8, Link: "FreshetPublishHeld",
			Description: "1 while the guard holds the last good version of a model, or its answers are marked stale.",
			Queries: []Query{
				{Expr: `max by (model) (freshet_model_held{project="$project",model=~"$model"})`, Legend: "{{model}} held"},
				{Expr: `max by (model) (freshet_model_stale{project="$project",model=~"$model"})`, Legend: "{{model}} stale"},
			}},
		{Title: "Dropped by models", Kind: "timeseries", Unit: "ops", Width: 24,
			Description: "What the bounds of models gave up a second, by name: leaves without statistics, categories left out, clusters evicted, steps skipped. Much of it: the bound is too low for the data.",
			Queries: []Query{
				{Expr: `sum by (model, what) (rate(freshet_model_dropped_total{project="$project",model=~"$model"}[$__rate_interval]))`, Legend: "{{model}} {{what}}"},
			}},
	}},
	{Question: "What drifts?", Panels: []Panel{
		{Title: "Distance from the reference", Kind: "timeseries", Unit: "short", Width: 12, Link: "FreshetFeatureDrift",
			Description: "The features that drifted most, each by its measure (drift.features of the project file).",
			Queries: []Query{
				{Expr: `max by (trigger, feature, stat) (freshet_feature_drift_score{project="$project"})`, Legend: "{{feature}} ({{stat}})"},
			}},
		{Title: "Distance over threshold", Kind: "timeseries", Unit: "short", Width: 12, Link: "FreshetFeatureDrift",
			Description: "The same over the threshold of the measure, or what the sample sizes ask for. Above 1: drifted. The lines of alerts are from where on somebody is asked to look.",
			Queries: []Query{
				{Expr: `max by (trigger, feature, stat) (freshet_feature_drift_score{project="$project"} / freshet_feature_drift_threshold{project="$project"})`, Legend: "{{feature}} ({{stat}})"},
				{Expr: `max by (stat) (freshet_feature_drift_alert_threshold{project="$project"} / freshet_feature_drift_threshold{project="$project"})`, Legend: "alerts of {{stat}}"},
			}},
		{Title: "Missing", Kind: "timeseries", Unit: "percentunit", Width: 12, Link: "FreshetFeatureMissing",
			Description: "Share of the newest examples in which a feature was missing.",
			Queries: []Query{
				{Expr: `max by (trigger, feature) (freshet_feature_missing_ratio{project="$project"})`, Legend: "{{feature}}"},
			}},
		{Title: "Not finite, left out, capped", Kind: "timeseries", Unit: "ops", Width: 12,
			Description: "Results that were not finite, events too late for their windows, and caps that were hit, a second.",
			Queries: []Query{
				{Expr: `sum by (entity) (rate(freshet_feature_not_finite_total{project="$project"}[$__rate_interval]))`, Legend: "{{entity}} not finite"},
				{Expr: `sum by (entity) (rate(freshet_feature_left_out_total{project="$project"}[$__rate_interval]))`, Legend: "{{entity}} left out"},
				{Expr: `sum by (entity) (rate(freshet_feature_cap_hits_total{project="$project"}[$__rate_interval]))`, Legend: "{{entity}} capped"},
			}},
		{Title: "Texts cut", Kind: "timeseries", Unit: "ops", Width: 12,
			Description: "Texts that were longer than their field takes (bytes: in the project file), a second: in events, and in calls for predictions.",
			Queries: []Query{
				{Expr: `sum by (source) (rate(freshet_texts_cut_total{project="$project"}[$__rate_interval]))`, Legend: "events of {{source}}"},
				{Expr: `sum by (model) (rate(freshet_prediction_texts_cut_total{project="$project"}[$__rate_interval]))`, Legend: "calls for {{model}}"},
			}},
	}},
	{Question: "What does it cost, and is it safe?", Panels: []Panel{
		{Title: "CPU", Kind: "timeseries", Unit: "short", Width: 8,
			Description: "Cores in use by process.",
			Queries: []Query{
				{Expr: `rate(process_cpu_seconds_total{project="$project"}[$__rate_interval])`, Legend: "{{instance}}"},
			}},
		{Title: "Memory", Kind: "timeseries", Unit: "bytes", Width: 8,
			Description: "Resident memory by process, and the saved state of each model.",
			Queries: []Query{
				{Expr: `process_resident_memory_bytes{project="$project"}`, Legend: "{{instance}}"},
				{Expr: `max by (model) (freshet_model_state_bytes{project="$project",model=~"$model"})`, Legend: "state of {{model}}"},
			}},
		{Title: "Entities in memory", Kind: "timeseries", Unit: "short", Width: 8,
			Description: "Entities that feature units hold in memory, and those that were asked for and not found, a second.",
			Queries: []Query{
				{Expr: `sum(freshet_state_cached_entities{project="$project"})`, Legend: "cached"},
				{Expr: `sum by (entity) (rate(freshet_prediction_entities_not_found_total{project="$project"}[$__rate_interval]))`, Legend: "{{entity}} not found/s"},
			}},
		{Title: "Age of checkpoints", Kind: "timeseries", Unit: "s", Width: 8, Link: "FreshetCheckpointOld",
			Description: "Time since the newest good checkpoint. Recovery folds what came since.",
			Queries: []Query{
				{Expr: `time() - max by (stage, trigger) (freshet_checkpoint_timestamp_seconds{project="$project"})`, Legend: "{{stage}} {{trigger}}"},
			}},
		{Title: "Checkpoints and log", Kind: "timeseries", Unit: "s", Width: 8, Link: "FreshetCheckpointsFail",
			Description: "p99 of writing a checkpoint, and of writing served vectors to the log.",
			Queries: []Query{
				{Expr: `histogram_quantile(0.99, sum by (le, stage) (rate(freshet_checkpoint_duration_seconds_bucket{project="$project"}[$__rate_interval])))`, Legend: "{{stage}} checkpoint"},
				{Expr: `histogram_quantile(0.99, sum by (le) (rate(freshet_prediction_log_duration_seconds_bucket{project="$project"}[$__rate_interval])))`, Legend: "served vectors"},
			}},
		{Title: "Builds and generations", Kind: "timeseries", Unit: "short", Width: 8, Link: "FreshetGenerationsDiffer",
			Description: "What runs: one build and one generation, but for rollouts.",
			Queries: []Query{
				{Expr: `count by (build) (freshet_build_info{project="$project"})`, Legend: "{{build}}"},
				{Expr: `count by (generation) (freshet_project_info{project="$project"})`, Legend: "generation {{generation}}"},
			}},
		{Title: "Certificates", Kind: "timeseries", Unit: "s", Width: 8, Link: "FreshetCertificateEnds",
			Description: "Time until the certificate of a server ends, and how often its files were read again, by outcome.",
			Queries: []Query{
				{Expr: `min by (instance) (freshet_serving_certificate_end_timestamp_seconds{project="$project"}) - time()`, Legend: "{{instance}}"},
				{Expr: `sum by (instance) (increase(freshet_serving_reloads_total{project="$project"}[1h]))`, Legend: "{{instance}} reloads in an hour"},
			}},
	}},
}
