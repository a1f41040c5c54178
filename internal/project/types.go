package project

import (
	"time"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/secret"
	"github.com/freshet-ml/freshet/models"
)

// Project is a whole freshet.yaml, decoded, with every default filled in. All named lists (sources,
// tables, entities, features, derived, models, challengers) are sorted by name whatever their order in
// the file; only the fields of a source keep the declared order.
//
// Tags: key is the name in the file; default is what stands in when the key is absent; enum lists the
// allowed words; min and max bound numbers; form names a way of writing that the decoder knows.
type Project struct {
	Version     int         `key:"version" required:"true" min:"1" max:"1" doc:"Version of this file's shape; 1."`
	Name        string      `key:"project" required:"true" form:"name" doc:"Name of the project: 1 to 63 of a-z, 0-9, _ and -. The names of all its topics and state begin with it."`
	Clock       string      `key:"clock" default:"wall" enum:"wall|events" doc:"What moves time. wall: live topics; a source that is silent for idle_after is not waited for, and an all-idle project advances each second. events: only records, time marks and known ends move time (replays, demos, files), so a run is exact at any speed."`
	MaxSkew     Duration    `key:"max_skew" default:"1m" doc:"An example whose trigger is older than the newest event by more than this is predicted, not learned, since last, decayed and open values cannot look back."`
	Sources     []Source    `key:"sources" required:"true" doc:"Event topics by name. A project has at least one."`
	Tables      []Source    `key:"tables" omit:"dedupe|idle_after|max_lateness|skew" doc:"Tables by name: topics whose newest record of a key is the row of that key (null value: row removed). The fields of a row are features, named table.field."`
	Features    []Entity    `key:"features" doc:"Streaming features by entity type: what is counted, averaged and remembered for each key."`
	Derived     []Derived   `key:"derived" doc:"Named expressions over features and trigger fields; used as derived.NAME."`
	Models      []Model     `key:"models" doc:"Models by name: when they answer, from what, and how they learn the truth later."`
	Drift       Drift       `key:"drift" doc:"What watches for drift."`
	Kafka       Kafka       `key:"kafka" doc:"The broker. Embedded, in memory, unless brokers are given."`
	Redis       Redis       `key:"redis" doc:"The store of entity states. Embedded, in memory, unless an address is given."`
	Checkpoints Checkpoints `key:"checkpoints" doc:"Where models, joiners and scores are saved."`
	Serving     Serving     `key:"serving" doc:"The servers that answer predictions and lookups."`

	own   []Entity       // entity types of the forecasters of models, in the order of models
	file  string         // name used in messages
	where map[string]Pos // position of every path of the file
}

// Source is an event topic, or a table (Table true) whose newest record of a key is the row of that key.
type Source struct {
	Name           string   `key:"-"`
	Table          bool     `key:"-"`
	Topic          string   `key:"topic" doc:"Kafka topic. Default: the name of the source."`
	Format         string   `key:"format" default:"json" enum:"json|csv" doc:"Format of a record's value: json, an object; csv, one line."`
	Delimiter      string   `key:"delimiter" default:"," doc:"csv, and CSV files that freshet produce reads: the character between columns; \"\\t\" for a tab."`
	Columns        []string `key:"columns" form:"list" doc:"csv: names of the columns in order. Default: the fields as declared."`
	Nulls          []string `key:"nulls" form:"list" doc:"csv, and CSV files: texts that mean null, such as NA. An empty cell always does."`
	Time           string   `key:"time" doc:"Field that holds the event time. Need not be declared in fields: then it is a time in RFC 3339, as at: time. Required for sources; a table without it uses the timestamp of the record."`
	OutOfOrderness Duration `key:"out_of_orderness" default:"0s" doc:"How much older than the newest event an event may be without holding back time: the watermark is the newest event time less the greatest of these."`
	MaxLateness    Duration `key:"max_lateness" default:"24h" doc:"Events older than the watermark by more than this are refused."`
	IdleAfter      Duration `key:"idle_after" default:"10s" doc:"clock: wall: a partition that had nothing for so long is no longer waited for."`
	Skew           Duration `key:"skew" default:"1m" doc:"clock: wall: an event whose time is ahead of its record's own timestamp by more than this is refused."`
	Fields         []Field  `key:"fields" required:"true" form:"fields" doc:"The typed fields of an event, in order: NAME: TYPE, with ? after the type when it may be null or absent. Types: string, int, double, bool, time, and text, whose words a pipeline reads. Fields that are not declared are ignored (see strict)."`
	Expect         []string `key:"expect" form:"list" doc:"Conditions on every event; one for which a condition is false is refused and goes to the dead-letter topic."`
	Strict         bool     `key:"strict" default:"false" doc:"Refuse events with fields that are not declared."`
	Dedupe         *Dedupe  `key:"dedupe" doc:"Refuse events that repeat an id."`
	Sensitive      []string `key:"sensitive" form:"list" doc:"Fields that are hashed in dead letters and never shown in messages."`
	Partitions     int      `key:"partitions" default:"1" min:"1" max:"10000" doc:"Partitions of the topic, when Freshet makes it and when files are dealt to partitions; an existing topic must have as many."`
	Key            []string `key:"key" form:"list" doc:"Sources: fields that freshet produce writes as the Kafka key (default: none). Tables: the fields that name a row; required. Key fields of a table need not be declared: then they are strings."`
}

// Dedupe refuses events whose By value was seen less than Within of event time ago.
type Dedupe struct {
	By     string   `key:"by" required:"true" doc:"Field that holds the id."`
	Within Duration `key:"within" required:"true" doc:"How long an id is remembered, in event time."`
}

// Field is one typed field of a source, a table or a request.
type Field struct {
	Name     string
	Kind     features.Kind
	Nullable bool
	From     string // name in the record; Name unless the file says otherwise
	// Format is how a time is written: epoch_s, epoch_ms, epoch_us, rfc3339 (empty means that), or a
	// layout in the manner of Go ("2006-01-02 15:04") or strftime ("%Y-%m-%d %H:%M").
	Format string
	Zone   string // IANA time zone of a layout without an offset; empty: UTC
	Bytes  int    `json:",omitempty"` // of a text: how long it may be; 0: as long as features.DefaultTextSlots holds
}

// Entity is one entity type: features that share a key.
type Entity struct {
	Name     string    `key:"-"`
	Key      []string  `key:"key" required:"true" form:"list" doc:"Field or fields that name the entity; every source that its features use must carry them."`
	Keep     Duration  `key:"keep" default:"0s" doc:"An entity idle for longer than this is forgotten. 0s: never."`
	Buckets  int       `key:"buckets" default:"16" min:"1" max:"65536" doc:"Parts that the entities are dealt to: the unit of work and of storage. Aim at 100,000 entities each."`
	Features []Feature `key:"*" form:"features" doc:"Every other key is a feature: NAME: {AGGREGATION: source.field, over: 1h, ...}."`
}

// Feature is one aggregation of one source. In the file the aggregation is itself a key:
// {mean: departed.dep_delay, over: [1h, 6h]}.
type Feature struct {
	Name     string          `key:"-"`
	Agg      string          `key:"-"`
	Source   string          `key:"-"`
	Value    string          `key:"value" form:"expr" doc:"Expression that is aggregated, over the fields of the source; instead of source.field."`
	Where    string          `key:"where" form:"expr" doc:"Condition: other events are left out."`
	At       string          `key:"at" doc:"Time field at which the event takes effect. Default: its event time."`
	Per      string          `key:"per" form:"expr" doc:"ratio: expression of the denominator. Default: the number of events."`
	Over     []time.Duration `key:"over" form:"windows" doc:"Window or list of windows, such as 1h or [1h, 6h]; a list gives columns NAME_1h, NAME_6h. Default, and lifetime: all events so far."`
	Suffix   bool            `key:"-"` // the file gave a list
	grouped  bool            // of a model's forecaster: new series start from those of their group
	group    []string        // fields that tell the groups apart
	leads    []int           // of a model's forecaster: the steps that are columns; nil: all
	Exact    bool            `key:"exact" default:"false" doc:"Keep the raw events of the window, up to a cap, instead of tiles."`
	Lag      Duration        `key:"lag" default:"0s" doc:"Read the window as it was so long ago."`
	K        int             `key:"k" default:"0" min:"0" max:"1024" doc:"last_k, first_k: how many values; lag: how many events ago."`
	HalfLife Duration        `key:"half_life" default:"0s" doc:"decayed_*: the time in which a weight halves."`
	Weight   float64         `key:"weight" default:"0" min:"0" max:"1" doc:"decayed_mean by event instead of by time: the weight of the newest value, between 0 and 1."`
	Due      string          `key:"due" doc:"open: time field from which a thing counts as open. Default: its event time."`
	Until    []string        `key:"until" form:"list" doc:"open: sources whose events end a thing."`
	By       string          `key:"by" doc:"open: field that names a thing, in its source and in all of until."`
	Keep     Duration        `key:"keep" default:"24h" doc:"open: a thing is forgotten so long after it was due."`
	Cap      int             `key:"cap" default:"256" min:"1" max:"65536" doc:"distinct: exact up to so many values, then estimated."`

	// Settings of forecasters. The generation takes them from the compiled forecaster, for features that have one.
	Step       Duration       `json:"-" key:"step" default:"0s" doc:"Forecasters: length of one step, such as 1h. Where a step has several values see aggregate. Like last values, forecasts do not look back. 0s: every event is one step."`
	Season     []int          `json:"-" key:"season" form:"numbers" doc:"Forecasters: steps of one season, such as 24 with step: 1h, or of several, such as [24, 168]. Default: none."`
	Horizon    int            `json:"-" key:"horizon" default:"1" min:"1" max:"256" doc:"Forecasters: how many steps after that of the asked time are forecast, as columns NAME_1, NAME_2 and so on."`
	Levels     []float64      `json:"-" key:"levels" form:"numbers" doc:"Forecasters: quantiles that are columns beside the mean of each step, such as [0.1, 0.9] for NAME_1_q10 and NAME_1_q90."`
	Columns    []string       `json:"-" key:"columns" form:"list" doc:"Forecasters: what the columns are; default: mean. One or several of mean (of each step, with levels), level (NAME_level: the present level without season), residual (NAME_residual: the error of the newest one-step forecast) and anomaly (NAME_anomaly: how strange the newest value is, 0 to 1)."`
	Aggregate  string         `json:"-" key:"aggregate" default:"none" enum:"none|sum|mean|last" doc:"Forecasters: what the value of a step is that has several, such as the sales of a product within an hour. none: each is a value of its own and corrects the state as it comes. sum (0 where none came), mean, last: the step is taken in as a whole, a sum when the step is over. It needs step."`
	Lateness   Duration       `json:"-" key:"lateness" default:"0s" doc:"Forecasters: an event may be older than the newest one by so much and still takes its place in the order of time. One that comes later, and whose step has passed, is left out and counted as late."`
	Calendar   []string       `json:"-" key:"calendar" form:"list" doc:"Forecasters: regressors that follow from the time, in UTC, of hour, weekday, month and year. They need step."`
	Holidays   []string       `json:"-" key:"holidays" form:"list" doc:"Forecasters: days, such as 2024-12-25, on which a regressor is 1. They need step."`
	Regressors []string       `json:"-" key:"regressors" form:"list" doc:"Forecasters: expressions of what comes with each value, such as price. For the steps ahead the usual ones are taken: a mean with the weight 0.1 for the newest."`
	With       map[string]any `json:"-" key:"with" form:"params" doc:"Forecasters: parameters of the forecaster, such as {alpha: 0.4}; see the reference of the models."`
}

// Derived is a feature computed when it is asked for, from others. Exactly one of Expr and Cross is set.
type Derived struct {
	Name        string   `key:"-"`
	Expr        string   `key:"expr" form:"expr" doc:"Expression over features (origin.mean_delay_1h), table fields (planes.seats) and trigger fields (scheduled.distance). Not over other derived features."`
	Cross       []string `key:"cross" form:"list" doc:"Instead of expr: categories that are crossed into one, such as [scheduled.origin, scheduled.carrier]."`
	Categorical bool     `key:"categorical" default:"false" doc:"The result is a category, not a quantity; always so for cross."`
}

// Model is a champion with its challengers: they share trigger, label and example log.
type Model struct {
	Name        string       `key:"-"`
	Task        models.Task  `key:"task" required:"true" form:"task" doc:"binary, multiclass, regression, forecast or anomaly."`
	On          string       `key:"on" required:"true" doc:"What asks for an answer: a source (each of its events is an example), or request (a Predict call)."`
	ID          string       `key:"id" doc:"Field that names an example. Required for a source; for request the default is that the server makes one, for forecast the key with the time."`
	Key         []string     `key:"key" form:"list" doc:"Field or fields of the trigger that name a series (forecast) or the entity that a pipeline remembers (gru, rnn, linear_recurrence). Required for those; no other model has a key. The fields need not be used as columns."`
	Use         []string     `key:"use" form:"list" doc:"Columns: entity.feature, table.field, trigger.field (request.field) or derived.NAME; * matches any rest. Their order does not matter. Required but for forecast, which has none."`
	Request     []Field      `key:"request" form:"fields" doc:"on: request: the fields that a call brings, as in sources."`
	Label       *Label       `key:"label" doc:"Where the truth comes from. Required but for anomaly and forecast; default of forecast: {from: the trigger, by: key, value: the target, ahead: one step}."`
	Classes     []string     `key:"classes" form:"list" doc:"multiclass: the values of the label, in order."`
	Pipeline    any          `key:"pipeline" default:"auto" form:"any" doc:"Transformers and a model, such as [standard_scaler, logistic_regression], or one name. auto: Freshet's own choice. forecast: one forecaster; auto is the default one."`
	LearnUntil  time.Time    `key:"learn_until" form:"instant" doc:"Learn no examples from this event time on: a date or an RFC 3339 time. Default: always learn."`
	Seed        uint64       `key:"seed" default:"1" doc:"Seed of models that draw random numbers."`
	Weights     string       `key:"weights" default:"log" enum:"log|checkpoint" doc:"How servers get the weights. log: they fold the example log, so replicas agree to the bit. checkpoint: they load checkpoints."`
	Log         string       `key:"log" default:"acked" enum:"acked|async" doc:"on: request: write the served vector before the answer (acked), or after it (async; losses are counted)."`
	Predictions bool         `key:"predictions" default:"true" doc:"Write every answer to the topic PROJECT.MODEL.predictions."`
	MaxAge      Duration     `key:"max_age" default:"0s" doc:"A served answer whose model has learned nothing for longer than this is marked stale. 0s: never."`
	Drift       ModelDrift   `json:"-" key:"drift" doc:"What watches the losses of this model and its challengers. Default: what drift says for the project."`
	Challengers []Challenger `key:"challengers" doc:"Other models by name, run on the same examples and scored beside this one."`

	// Settings of task: forecast. Each series lives in the state of its key, like the features of an entity that has the model's name.
	Target     string    `json:"-" key:"target" form:"expr" doc:"forecast: what is forecast, an expression over the fields of the trigger, such as amount. Where a step has several values see aggregate."`
	Step       Duration  `json:"-" key:"step" default:"0s" doc:"forecast: length of one step, such as 1h or 1d; required. Steps begin at whole multiples since 1970 in UTC."`
	Season     []int     `json:"-" key:"season" form:"numbers" doc:"forecast: steps of one season, such as 7 with step: 1d, or of several, such as [24, 168]. Default: none."`
	Horizon    int       `json:"-" key:"horizon" default:"0" min:"0" max:"4096" doc:"forecast: how many steps ahead Forecast may be asked for at most; required."`
	Levels     []float64 `json:"-" key:"levels" form:"numbers" doc:"forecast: quantiles that are answered, logged and scored (crps, coverage) beside the mean. Default: [0.025, 0.1, 0.5, 0.9, 0.975]."`
	Aggregate  string    `json:"-" key:"aggregate" default:"none" enum:"none|sum|mean|last" doc:"forecast: what the value of a step is that has several, such as the sales of a product within an hour. none: each is a value of its own and corrects the state as it comes. sum (0 where none came), mean, last: the step is taken in as a whole, a sum when the step is over. A label is then the value of its whole step, known when the watermark is lateness behind the step's end."`
	Lateness   Duration  `json:"-" key:"lateness" default:"0s" doc:"forecast: an event may be older than the newest one of its key by so much and still takes its place in the order of time. One that comes later, and whose step has passed, is left out and counted."`
	Calendar   []string  `json:"-" key:"calendar" form:"list" doc:"forecast: regressors that follow from the time, in UTC, of hour, weekday, month and year; for models that use regressors."`
	Holidays   []string  `json:"-" key:"holidays" form:"list" doc:"forecast: days, such as 2024-12-25, on which a regressor is 1."`
	Regressors []string  `json:"-" key:"regressors" form:"list" doc:"forecast: fields or expressions over the fields of the trigger, such as price, that come with each value and are known for the steps asked for: Forecast must be told them if the model uses regressors; challengers that do not are compared without. Logged answers, which nobody tells them, take the usual ones: a mean with the weight 0.1 for the newest."`
	Start      string    `json:"-" key:"start" default:"group" enum:"group|cold" doc:"forecast: what a new series starts from. group: level, season and noise of the grown series of its group, which are part of its answers for its first three seasons, the less the better its own model does. cold: its own values alone."`
	Group      []string  `json:"-" key:"group" form:"list" doc:"forecast: fields of the trigger, such as category, whose values tell the groups of series apart. A group lives within a bucket: give each bucket some dozen series of every group. Default: all series are one group."`
	Keep       Duration  `json:"-" key:"keep" default:"0s" doc:"forecast: a series idle for longer than this is forgotten. 0s: never."`
	Buckets    int       `json:"-" key:"buckets" default:"16" min:"1" max:"65536" doc:"forecast: parts that the series are dealt to. Aim at 100,000 series each."`
}

// Challenger differs from its champion in what it names; the rest is the champion's. All fields are
// filled in: a challenger without use: carries the champion's.
type Challenger struct {
	Name       string    `key:"-"`
	Use        []string  `key:"use" form:"list" doc:"As in the model. Default: the model's."`
	Pipeline   any       `key:"pipeline" form:"any" doc:"As in the model. Default: the model's."`
	LearnUntil time.Time `key:"learn_until" form:"instant" doc:"As in the model. Default: the model's."`
	Seed       uint64    `key:"seed" default:"0" doc:"As in the model. 0: the model's."`
}

// Label says where the truth about an example comes from.
type Label struct {
	From       string   `key:"from" required:"true" doc:"Source whose events carry the label, or feedback (Feedback calls)."`
	By         string   `key:"by" doc:"Field of that source that equals the example's id; key: the model's key (with ahead). Default: the name in id; of forecast: key."`
	Value      string   `key:"value" form:"expr" doc:"Expression of the label over the fields of that source: a condition for binary, a text field for multiclass, a number else. Required but for feedback."`
	Wait       Duration `key:"wait" default:"0s" doc:"How long after the trigger a label is waited for, in event time. Required but with ahead, where the default is ahead and one step more, with aggregate two and lateness."`
	Missing    string   `key:"missing" default:"drop" enum:"drop|negative" doc:"No label within wait: drop the example, or learn it as negative (binary)."`
	Early      Duration `key:"early" default:"1h" doc:"How long a label that comes before its example waits for it."`
	CorrectFor Duration `key:"correct_for" default:"0s" doc:"How long after its label an example may still be corrected by another one."`
	Ahead      Duration `key:"ahead" default:"0s" doc:"forecast: the label is the key's value so much later, a whole number of steps up to the horizon: the first event of that step. Default: one step."`
}

// Drift says what watches for drift.
type Drift struct {
	Loss     any            `key:"loss" default:"adwin" form:"any" doc:"Detector on the loss of every model that names none of its own, such as page_hinkley, or {page_hinkley: {threshold: 20}}: one of the drift detectors of the reference of the models. It counts changes and resets nothing. Those made for errors (ddm, eddm, rddm, hddm_a, hddm_w, stepd, ewma_chart) are given 1 for a wrong class and 0 for the right one, and watch classifiers; adwin watches the other models then. The others are given the log-loss of classifiers and the absolute error of the rest."`
	Features any            `key:"features" default:"psi" form:"any" doc:"By what the features are compared with their reference, such as ks, or {ks: {threshold: 0.15, alert: 0.3}}: one of the measures of drift of the reference of the models. ks and wasserstein order values; categories are then compared by psi."`
	Columns  map[string]any `key:"columns" form:"params" doc:"Measures of single columns, by their names as in use of a model, with * for many: {orders.amount: wasserstein, user.*: {psi: {threshold: 0.2}}}. The column's own name counts before that of its feature (all windows), and that before the longest pattern."`
}

// ModelDrift says what watches one model.
type ModelDrift struct {
	Loss any `key:"loss" form:"any" doc:"Detector on the losses of the model, its challengers and its baselines, as in drift of the project. Default: that of the project where it can watch the model, else adwin."`
}

// Kafka says where the broker is. No brokers: the embedded one.
type Kafka struct {
	Brokers      []string `key:"brokers" form:"list" doc:"host:port of brokers. Default: an embedded broker in memory."`
	TLS          *TLS     `key:"tls" doc:"Encrypt; {} for the system's certificates."`
	SASL         *SASL    `key:"sasl" doc:"Log in."`
	Session      Duration `key:"session" default:"10s" min:"1s" doc:"How long a process that shares stages may be silent before others take them over. Not below the broker's group.min.session.timeout.ms, which is 6s unless it was changed."`
	Replication  int      `key:"replication" default:"1" min:"1" max:"15" doc:"Replicas of the topics that Freshet makes. Use 3 where you can."`
	CreateTopics bool     `key:"create_topics" default:"true" doc:"Make the topics that are missing. false: the start is refused while one is missing, and says how to make it; freshet plan --topics lists all."`
	Retention    Duration `key:"retention" default:"0s" doc:"How long the broker keeps Freshet's own logs. 0s: for ever. A rebuild cannot see farther back. Quiet logs are kept readable while their stages run; choose it at least three times as long as any pause of these."`
}

// SASL is a login to Kafka.
type SASL struct {
	Mechanism  string            `key:"mechanism" default:"scram-sha-512" enum:"plain|scram-sha-256|scram-sha-512|oauthbearer" doc:"Way of logging in. plain needs tls, or the password travels in clear text."`
	User       string            `key:"user" doc:"User. Required but for oauthbearer."`
	Password   Secret            `key:"password" doc:"Password; better password_file, the path of a file that holds it. A file is read again at every login. Required but for oauthbearer."`
	Token      Secret            `key:"token" doc:"oauthbearer: a token that something else renews; token_file is read again at every login."`
	OAuth      *OAuth            `key:"oauth" doc:"oauthbearer: get tokens from an endpoint with the client's own credentials, instead of token."`
	Extensions map[string]string `key:"extensions" form:"extensions" doc:"oauthbearer: names and values that are sent with the token (RFC 7628), such as logicalCluster."`
}

// OAuth is where tokens come from: the client credentials grant of RFC 6749, §4.4.
type OAuth struct {
	TokenURL     string   `key:"token_url" required:"true" doc:"Token endpoint; https, or http on this machine."`
	ClientID     string   `key:"client_id" required:"true" doc:"Client."`
	ClientSecret Secret   `key:"client_secret" required:"true" doc:"Its secret; better client_secret_file, which is read again for every token."`
	Scopes       []string `key:"scopes" form:"list" doc:"Scopes that are asked for."`
	Audience     string   `key:"audience" doc:"Audience that is asked for; some endpoints want one."`
	CA           string   `key:"ca" doc:"File of the certificates that are trusted. Default: the system's."`
}

// Redis says where the store is. No address: the embedded one.
type Redis struct {
	Addr     []string `key:"addr" form:"list" doc:"host:port; several for a cluster. Default: an embedded store in memory."`
	Cluster  bool     `key:"cluster" default:"false" doc:"The addresses are seeds of a Redis Cluster."`
	DB       int      `key:"db" default:"0" min:"0" max:"1023" doc:"Number of the database; 0 in a cluster."`
	User     string   `key:"user" doc:"User."`
	Password Secret   `key:"password" doc:"Password, or password_file."`
	TLS      *TLS     `key:"tls" doc:"Encrypt; {} for the system's certificates."`
}

// TLS names certificates, as PEM files.
type TLS struct {
	CA         string `key:"ca" doc:"File of the certificates that are trusted. Default: the system's; for servers: clients need no certificate."`
	Cert       string `key:"cert" doc:"File of our certificate."`
	Key        string `key:"key" doc:"File of its private key."`
	ServerName string `key:"server_name" doc:"Name that the other side's certificate must carry. Default: the host."`
}

// Checkpoints says where learners, joiners and scores are saved, and how often.
type Checkpoints struct {
	URL       string   `key:"url" default:"file://.freshet/checkpoints" doc:"Folder (file:///path), bucket of a store that speaks S3 (s3://bucket/folder), or mem://, which ends with the process. Roles that run apart need the same store."`
	Endpoint  string   `key:"endpoint" doc:"s3: address of the store, such as https://storage.example.org. Default: AWS."`
	Region    string   `key:"region" doc:"s3: region. Default: that of the environment (AWS_REGION), else us-east-1."`
	PathStyle bool     `key:"path_style" default:"false" doc:"s3: ask for endpoint/bucket/key instead of bucket.endpoint/key, as most stores other than AWS want."`
	AccessKey string   `key:"access_key" doc:"s3: name of the key. Default: the credentials of the environment (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or the role of the machine)."`
	SecretKey Secret   `key:"secret_key" doc:"s3: the secret of the key; better secret_key_file, the path of a file that holds it."`
	Every     Duration `key:"every" default:"1m" min:"1s" doc:"Time between checkpoints of learners and joiners. After a failure, so much of the log is folded again at most; a server folds so much more before it answers."`
	// WeightsEvery is for models whose servers load weights.
	WeightsEvery Duration `key:"weights_every" default:"10s" min:"100ms" doc:"Models with weights: checkpoint: time between two small checkpoints of their weights, and how often servers look for them."`
	Keep         int      `key:"keep" default:"5" min:"1" max:"1000" doc:"How many are kept of each. The newest good one counts, so a few stand behind a damaged one."`
}

// Serving configures the gRPC and HTTP servers.
type Serving struct {
	GRPC        string   `key:"grpc" default:"127.0.0.1:7070" doc:"Address of the gRPC server; off: none."`
	HTTP        string   `key:"http" default:"127.0.0.1:7071" doc:"Address of the HTTP server (page, JSON API, metrics, health); off: none."`
	Admin       string   `key:"admin" default:"off" doc:"Address of a third server, for whoever runs the service: /debug/pprof and metrics. This machine's own addresses only, such as 127.0.0.1:7072; off: none."`
	TLS         *TLS     `key:"tls" doc:"Serve with TLS: cert and key; with ca, clients must show a certificate. Renewed files are taken up without a restart."`
	Tokens      []Token  `key:"tokens" form:"tokens" doc:"Bearer tokens that clients may show, each a text or a mapping (see serving.tokens). Empty: none needed."`
	TokensFile  string   `key:"tokens_file" doc:"File with a token a line, beside or instead of tokens: TOKEN, or NAME SCOPE,SCOPE TOKEN; # begins a comment. Changes are taken up without a restart."`
	Hosts       []string `key:"hosts" form:"list" doc:"Names by which browsers may ask the HTTP server when it listens on this machine only, such as that of a proxy in front. localhost and 127.0.0.1 always may."`
	Insecure    bool     `key:"insecure" default:"false" doc:"Allow an address beyond this machine without TLS or tokens. Then whoever reaches it may ask; a warning says so."`
	MaxRows     int      `key:"max_rows" default:"1000" min:"1" max:"1000000" doc:"Rows in one call."`
	MaxMessage  Size     `key:"max_message" default:"4MiB" min:"1KiB" doc:"Size of one message."`
	MaxConns    int      `key:"max_connections" default:"4096" min:"1" max:"1000000" doc:"Connections at a time, of each port; more wait until one ends."`
	MaxInFlight int      `key:"max_in_flight" default:"1024" min:"1" max:"1000000" doc:"Calls at a time; more get RESOURCE_EXHAUSTED."`
	MaxWait     Duration `key:"max_wait" default:"500ms" max:"1m" doc:"A call over gRPC that had to wait so long for a processor, before it could be begun, gets RESOURCE_EXHAUSTED: a busy server answers some in time instead of all too late. 0s: none."`
	Timeout     Duration `key:"timeout" default:"1s" doc:"Deadline of calls that bring none."`
	Models      []string `key:"models" form:"list" doc:"freshet serve: the models that this server answers for, such as [late, late.trees]; it folds no others and waits for no others. Default: all champions."`
	Ready       Ready    `key:"ready" doc:"When a server says that it is ready."`
	Notice      Duration `key:"notice" default:"2s" doc:"freshet serve: how long a server that stops still answers after it has said that it is not ready, so that clients and load balancers turn to others first. Part of drain."`
	Drain       Duration `key:"drain" default:"10s" doc:"How long a server may take to stop: notice, then the calls in flight, which are cut off at the end."`
	Reflection  bool     `key:"reflection" default:"true" doc:"Let tools such as grpcurl list the services."`
	Recent      Duration `key:"recent" default:"20ms" max:"1m" doc:"A prediction may use entity states that were read so long ago, so that popular entities are read once for many calls; where feature units run in the same process, what they commit keeps such states new. 0s: it reads them anew. Lookups always do."`
	AllowStale  bool     `key:"allow_stale" default:"false" doc:"Answer from features that are being rebuilt, and say so, instead of UNAVAILABLE."`
}

// Ready says when a server is ready: probes, gRPC health and freshet status follow it.
type Ready struct {
	MaxStaleness Duration `key:"max_staleness" default:"5m" doc:"A server is not ready while the version of a model that it answers for was last known to be the newest longer ago than this. It still answers those who ask. 0s: whatever its age. When the broker is away all servers become stale at once: a short time takes all of them out."`
}

// Token lets its bearers in.
type Token struct {
	Name   string   `key:"name" doc:"Name for messages and logs. Default: its place in the list."`
	Token  Secret   `key:"token" required:"true" doc:"At least 16 characters, or sha256: and the 64 hexadecimal digits of its SHA-256, so that the file does not hold it. token_file: a file that holds it; changes are taken up without a restart."`
	Scopes []string `key:"scopes" form:"list" default:"predict, lookup, feedback" doc:"What it may be used for. predict: Predict and its stream. lookup: features, drift, audit, the page. feedback: Feedback. admin: freeze, thaw, pprof, and all others. Every token may list models and ask for the status."`
}

// Duration is a time.Duration that project files write as 500ms, 90s, 1h, 7d, 1w or 1h30m.
// A day is 24 hours.
type Duration = time.Duration

// Size is a number of bytes, written as 512, 64KiB, 4MiB, 1GiB or with kB, MB, GB.
type Size int64

// Secret is text that must not be shown.
type Secret = secret.Text

// Pos is a place in the file, both from 1; zero: unknown.
type Pos struct{ Line, Column int }

// Request is what a model's On says for Predict calls, and the name of its fields in use and derived.
const Request = "request"

// Feedback is what a label's From says for Feedback calls.
const Feedback = "feedback"

// At returns where a path such as models.late.label.from stands in the file: the place of its value, or
// of the nearest enclosing one that is there. Zero when the project was not read from a file.
func (p *Project) At(path string) Pos {
	for {
		if at, ok := p.where[path]; ok {
			return at
		}
		i := len(path) - 1
		for i >= 0 && path[i] != '.' && path[i] != '[' {
			i--
		}
		if i < 0 {
			return Pos{}
		}
		path = path[:i]
	}
}

// Model returns the model of that name, or nil.
func (p *Project) Model(name string) *Model {
	for i := range p.Models {
		if p.Models[i].Name == name {
			return &p.Models[i]
		}
	}
	return nil
}

// Entity returns the declared entity type of that name, or that of the forecasters of a model; nil if there is none.
func (p *Project) Entity(name string) *Entity {
	for _, list := range [][]Entity{p.Features, p.own} {
		for i := range list {
			if list[i].Name == name {
				return &list[i]
			}
		}
	}
	return nil
}

// Input returns the source or table of that name, or nil.
func (p *Project) Input(name string) *Source {
	for _, list := range [][]Source{p.Sources, p.Tables} {
		for i := range list {
			if list[i].Name == name {
				return &list[i]
			}
		}
	}
	return nil
}

// Field returns the field of that name, or nil.
func (s *Source) Field(name string) *Field {
	for i := range s.Fields {
		if s.Fields[i].Name == name {
			return &s.Fields[i]
		}
	}
	return nil
}
