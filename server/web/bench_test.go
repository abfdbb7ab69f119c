package web

import (
	"testing"

	"github.com/grantd/grantd/server/apierr"
)

const (
	formBody = "grant_type=client_credentials&client_id=gc_Zm9vYmFyYmF6cXV4Zm9vYg&client_secret=gs_sandbox_a1B2c3D4_Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXU&scope=users%3Aread+customers"
	jsonBody = `{"grant_type":"client_credentials","client_id":"gc_Zm9vYmFyYmF6cXV4Zm9vYg","client_secret":"gs_sandbox_a1B2c3D4_Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXU","scope":"users:read customers"}`
)

var benchSpec = Spec{JSON: true, Params: []Param{
	{"grant_type", Single}, {"scope", Single}, {"resource", Repeatable}, {"client_id", Single}, {"client_secret", Single},
}}

func benchmarkParse(b *testing.B, body string, parse func(string, []param) ([]param, error)) {
	b.ReportAllocs()
	var room [usualParams]param
	for b.Loop() {
		all, err := parse(body, room[:0])
		if err != nil {
			b.Fatal(err)
		}
		if p, err := keepKnown(all, &benchSpec); err != nil || p.Get("scope") != "users:read customers" {
			b.Fatal(p, err)
		}
	}
}

func BenchmarkParseForm(b *testing.B) { benchmarkParse(b, formBody, parseForm) }
func BenchmarkParseJSON(b *testing.B) {
	benchmarkParse(b, jsonBody, func(s string, all []param) ([]param, error) { return parseObject([]byte(s), all) })
}

func BenchmarkRenderError(b *testing.B) {
	b.ReportAllocs()
	f := apierr.New(apierr.InvalidClient, "client authentication failed")
	buffer := make([]byte, 0, 256)
	for b.Loop() {
		buffer = appendError(buffer[:0], string(f.Code), f, "")
	}
}

func BenchmarkReadDocument(b *testing.B) {
	const body = `{"data":{"type":"thing","attributes":{"text":"h5D8B5gyHtk=","maybe":"customers cards","count":3600}}}`
	b.ReportAllocs()
	for b.Loop() {
		if _, err := read(body, mediaJSONAPI, ""); err != nil {
			b.Fatal(err)
		}
	}
}
