// Package flights holds a year of departures from New York's three airports as the event streams that
// an airport would publish, and the project file of the demo. It stands before the flow: its records
// are what source topics carry. PROVENANCE.md says where the data comes from.
package flights
