package client_test

import (
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
	"github.com/freshet-ml/freshet/serving"
	"github.com/freshet-ml/freshet/serving/client"
)

func TestParseFieldsByKind(t *testing.T) {
	fields := []*freshetv1.InputField{{Name: "origin", Kind: "string"}, {Name: "seats", Kind: "int"}, {Name: "distance", Kind: "double"},
		{Name: "heavy", Kind: "bool"}, {Name: "at", Kind: "time"}}
	got, err := client.ParseFields(fields, []string{"origin=a=b", "seats=180", "distance=1e3", "heavy=true", "at=2013-07-01T12:00:00Z"})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"origin": "a=b", "seats": "180", "distance": "1000", "heavy": "true", "at": "2013-07-01T12:00:00Z"} {
		if text := client.Format(got[name]); text != want {
			t.Errorf("%s: %s, want %s", name, text, want)
		}
	}
	if got, err := client.ParseFields(fields, []string{"seats=null", "origin=null"}); err != nil || client.Format(got["seats"]) != "null" || got["origin"].GetString_() != "null" {
		t.Errorf("null: %v, %v", got, err)
	}
	for given, says := range map[string]string{"seats": "FIELD=VALUE", "dest=JFK": "there are origin, seats", "seats=many": "is no int", "at=noon": "RFC 3339",
		"distance=": "is no double", "heavy=perhaps": "is no bool"} {
		if _, err := client.ParseFields(fields, []string{given}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", given, err, says)
		}
	}
	if _, err := client.ParseFields(fields, []string{"seats=1", "seats=2"}); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("twice: %v", err)
	}
}

func TestNobodyThereIsSaid(t *testing.T) {
	l, err := serving.Listen("127.0.0.1:0", "serving.grpc")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	c, err := client.Dial(address, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, err = c.Status(t.Context(), &freshetv1.StatusRequest{})
	if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), address) || !strings.Contains(err.Error(), "freshet up") {
		t.Errorf("%v", err)
	}
}
