package serving

import (
	"strings"

	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
)

// Scope is what a token is good for: a set of the scopes below.
type Scope uint8

// The scopes. Admin includes all others.
const (
	ScopePredict  Scope = 1 << iota // Predict, PredictStream
	ScopeLookup                     // features, drift, audits, and what the page shows
	ScopeFeedback                   // Feedback
	ScopeAdmin                      // freeze, thaw, profiles
)

var scopeNames = []struct {
	name  string
	scope Scope
}{{"predict", ScopePredict}, {"lookup", ScopeLookup}, {"feedback", ScopeFeedback}, {"admin", ScopeAdmin}}

// ParseScope returns the scope of that name.
func ParseScope(name string) (Scope, bool) {
	for _, s := range scopeNames {
		if s.name == name {
			return s.scope, true
		}
	}
	return 0, false
}

// String lists the names of the scopes.
func (s Scope) String() string {
	var names []string
	for _, n := range scopeNames {
		if s&n.scope != 0 {
			names = append(names, n.name)
		}
	}
	return strings.Join(names, ", ")
}

const (
	// anyone needs no token. What is marked so holds no values of entities.
	anyone Scope = 1 << 7
	// anyScope is every valid token.
	anyScope = ScopePredict | ScopeLookup | ScopeFeedback | ScopeAdmin
)

// access says, of every method of gRPC and every route of HTTP, which scopes let one in: one of them is enough. What is
// not in this table is refused, and a test sees to it that all is. Routes of the API have the scope of their method.
var access = map[string]Scope{
	freshetv1.Freshet_Predict_FullMethodName:       ScopePredict,
	freshetv1.Freshet_PredictStream_FullMethodName: ScopePredict,
	freshetv1.Freshet_Forecast_FullMethodName:      ScopePredict,
	freshetv1.Freshet_GetFeatures_FullMethodName:   ScopeLookup,
	freshetv1.Freshet_Feedback_FullMethodName:      ScopeFeedback,
	freshetv1.Freshet_ListModels_FullMethodName:    anyScope,
	freshetv1.Freshet_GetModel_FullMethodName:      anyScope,
	freshetv1.Freshet_Status_FullMethodName:        anyScope,
	freshetv1.Freshet_Drift_FullMethodName:         ScopeLookup,
	freshetv1.Freshet_Audit_FullMethodName:         ScopeLookup,
	freshetv1.Freshet_Overview_FullMethodName:      anyScope,
	freshetv1.Freshet_Lineage_FullMethodName:       anyScope,
	freshetv1.Freshet_History_FullMethodName:       ScopeLookup,
	freshetv1.Freshet_Distributions_FullMethodName: ScopeLookup,
	freshetv1.Freshet_DeadLetters_FullMethodName:   ScopeLookup,
	freshetv1.Freshet_Recent_FullMethodName:        ScopeLookup,
	freshetv1.Freshet_Control_FullMethodName:       ScopeAdmin,

	"/grpc.health.v1.Health/Check":                                   anyone, // probes must get through
	"/grpc.health.v1.Health/Watch":                                   anyone,
	"/grpc.health.v1.Health/List":                                    anyone,
	"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo":      anyScope,
	"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": anyScope,

	"POST /v1/predict":         ScopePredict,
	"POST /v1/forecast":        ScopePredict,
	"POST /v1/features":        ScopeLookup,
	"POST /v1/feedback":        ScopeFeedback,
	"GET /v1/models":           anyScope,
	"GET /v1/models/{name...}": anyScope,
	"GET /v1/status":           anyScope,
	"GET /v1/drift":            ScopeLookup,
	"GET /v1/audit/{id...}":    ScopeLookup,
	"GET /v1/overview":         anyScope,
	"GET /v1/live":             anyScope,
	"GET /v1/lineage":          anyScope,
	"GET /v1/history":          ScopeLookup,
	"GET /v1/distributions":    ScopeLookup,
	"GET /v1/deadletters":      ScopeLookup,
	"GET /v1/recent":           ScopeLookup,
	"POST /v1/control":         ScopeAdmin,
	"/v1/":                     anyScope, // says which paths there are
	"POST /v1/session":         anyScope,
	"DELETE /v1/session":       anyone,
	"GET /metrics":             anyone, // names of projects, models and features
	"GET /healthz":             anyone,
	"GET /readyz":              anyone,
	"/":                        anyone, // the files of the page; its data come from the routes above
	"/debug/pprof/":            ScopeAdmin,
}
