package cli

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const orgJSON = `{"org_id":"h5D8B5gyHtk=","name":"Example\tBank","active":false,"deactivated_at":"2026-01-03T03:04:05Z",` +
	`"created_at":"2026-01-02T03:04:05Z","updated_at":"2026-01-02T04:04:05+01:00","version":3}`

const customerJSON = `{"customer_id":"10001","org_id":"h5D8B5gyHtk=","type":"business","phone":"+*******0136",` +
	`"authorized_users":[{"name":"Jane Doe","phone":"+*******0199"},{"name":"Juan\tPérez","phone":"+*******0198"}],` +
	`"phones_changed_at":"2026-01-02T03:04:05Z","language":"es","active":true,"deactivated_at":null,` +
	`"created_at":"2026-01-02T03:04:05Z","updated_at":"2026-01-02T04:04:05+01:00","version":3`

// recordReplies returns the replies of the endpoints of one record.
func recordReplies(noun, id, view, shown string) map[string]reply {
	at := " /" + noun + "/" + id
	return map[string]reply{
		"PUT" + at: {201, view}, "GET" + at: {200, shown}, "DELETE" + at: {204, ""},
		"POST" + at + "/deactivate": {200, view}, "POST" + at + "/reactivate": {200, view}, "POST" + at + "/void-tokens": {200, view},
		"POST" + at + "/reset-codes": {200, shown},
	}
}

func customerAnswers() map[string]reply {
	replies := recordReplies("customers", "10001", customerJSON+"}", customerJSON+`,"wrong_codes_today":4,"wrong_codes_in_row":100,"codes_locked":true,"codes_sent_24h":3,"blocked_by":"wrong_codes_in_row","codes_blocked_until":null}`)
	list := `{"customers":[` + customerJSON + `},{"customer_id":"b","created_at":"2026-01-02T03:04:05Z"}]`
	replies["POST /customers/10001/mute"] = reply{200, customerJSON + `,"muted_until":"2026-01-03T03:04:05Z"}`}
	replies["POST /customers/10001/unmute"] = reply{200, customerJSON + "}"}
	replies["POST /customers/search"] = reply{200, `{"customers":[` + customerJSON + `,"blocked_by":"codes_per_phone","codes_blocked_until":"2026-01-02T03:14:05Z"}],"unreadable":0}`}
	replies["GET /customers?limit=500"] = reply{200, list + `,"next_cursor":"Yg"}`}
	replies["GET /customers?cursor=Yg&limit=500"] = reply{200, `{"customers":[{"customer_id":"c"}]}`}
	replies["GET /customers?limit=500&org_id=h5D8B5gyHtk%3D"] = reply{200, list + `,"next_cursor":"Yg"}`}
	replies["GET /customers?cursor=Yg&limit=500&org_id=h5D8B5gyHtk%3D"] = reply{200, `{"customers":[]}`}
	return replies
}

func orgAnswers() map[string]reply {
	replies := recordReplies("orgs", "h5D8B5gyHtk=", orgJSON, orgJSON)
	replies["GET /orgs?limit=500"] = reply{200, `{"orgs":[` + orgJSON + `,{"org_id":"b","name":"B","active":true,"created_at":"2026-01-02T03:04:05Z"}]}`}
	replies["DELETE /orgs/h5D8B5gyHtk=?with_clients_and_customers=true"] = reply{200, `{"deleted":false,"clients":3,"customers":500,"next_cursor":"Yg"}`}
	replies["DELETE /orgs/h5D8B5gyHtk=?cursor=Yg&with_clients_and_customers=true"] = reply{200, `{"deleted":true,"clients":0,"customers":200}`}
	return replies
}

// The requests of each command line to the admin API.
func TestOrgAndCustomerRequests(t *testing.T) {
	replies := orgAnswers()
	for key, a := range customerAnswers() {
		replies[key] = a
	}
	f := newFakeAdmin(t, replies)
	tests := []struct {
		args  string // separated by |
		asked []string
	}{
		{"org|put|h5D8B5gyHtk=|--name|Example Bank", []string{`PUT /orgs/h5D8B5gyHtk= {"name":"Example Bank"}`}},
		{"org|show|h5D8B5gyHtk=", []string{`GET /orgs/h5D8B5gyHtk=`}},
		{"org|list", []string{`GET /orgs?limit=500`}},
		{"org|delete|h5D8B5gyHtk=", []string{`DELETE /orgs/h5D8B5gyHtk=`}},
		{"org|delete|h5D8B5gyHtk=|--with-clients-and-customers", []string{
			`DELETE /orgs/h5D8B5gyHtk=?with_clients_and_customers=true`, `DELETE /orgs/h5D8B5gyHtk=?cursor=Yg&with_clients_and_customers=true`}},
		{"org|deactivate|h5D8B5gyHtk=", []string{`POST /orgs/h5D8B5gyHtk=/deactivate`}},
		{"org|reactivate|h5D8B5gyHtk=", []string{`POST /orgs/h5D8B5gyHtk=/reactivate`}},
		{"org|void-tokens|h5D8B5gyHtk=", []string{`POST /orgs/h5D8B5gyHtk=/void-tokens`}},

		{"customer|put|10001|--org|o|--type|individual|--phone|+15555550136",
			[]string{`PUT /customers/10001 {"org_id":"o","type":"individual","phone":"+15555550136","authorized_users":[],"language":""}`}},
		{"customer|put|10001|--org|o|--type|business|--phone|+1 (555) 555-0136|--authorized-user| Jane  Doe +15555550199|--authorized-user|A+, B +C +1 555 555 0198|--language|es",
			[]string{`PUT /customers/10001 {"org_id":"o","type":"business","phone":"+1 (555) 555-0136","authorized_users":[{"name":"Jane Doe","phone":"+15555550199"},` +
				`{"name":"A+, B +C","phone":"+1 555 555 0198"}],"language":"es"}`}},
		{"customer|put|10001|--org|o|--type|business|--phone|+15555550136|--authorized-user|Jane Doe +1 555 555 0199 id=20",
			[]string{`PUT /customers/10001 {"org_id":"o","type":"business","phone":"+15555550136","authorized_users":[{"id":"20","name":"Jane Doe","phone":"+1 555 555 0199"}],"language":""}`}},
		{"customer|show|10001", []string{`GET /customers/10001`}},
		{"customer|list", []string{`GET /customers?limit=500`, `GET /customers?cursor=Yg&limit=500`}},
		{"customer|list|--org|h5D8B5gyHtk=",
			[]string{`GET /customers?limit=500&org_id=h5D8B5gyHtk%3D`, `GET /customers?cursor=Yg&limit=500&org_id=h5D8B5gyHtk%3D`}},
		{"customer|delete|10001", []string{`DELETE /customers/10001`}},
		{"customer|deactivate|10001", []string{`POST /customers/10001/deactivate`}},
		{"customer|reactivate|10001", []string{`POST /customers/10001/reactivate`}},
		{"customer|void-tokens|10001", []string{`POST /customers/10001/void-tokens`}},
		{"customer|reset-codes|10001", []string{`POST /customers/10001/reset-codes`}},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			got := f.run(t, "", strings.Split(tt.args, "|")...)
			if got.code != exitDone {
				t.Errorf("%+v", got)
			}
			if diff := cmp.Diff(tt.asked, f.asked); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
		})
	}
}

// How each response is printed.
func TestOrgAndCustomerOutput(t *testing.T) {
	replies := orgAnswers()
	for key, a := range customerAnswers() {
		replies[key] = a
	}
	f := newFakeAdmin(t, replies)
	const put = "customer put 10001 --org o --type individual --phone +15555550136"
	tests := []struct {
		args, golden, out string
		code              int
	}{
		{args: "org put h5D8B5gyHtk= --name N", golden: "org-put.txt"},
		{args: "org put h5D8B5gyHtk= --name N --output json", golden: "org-put.json"},
		{args: "org show h5D8B5gyHtk=", golden: "org-put.txt"},
		{args: "org show h5D8B5gyHtk= --output json", golden: "org-put.json"},
		{args: "org list", golden: "org-list.txt"},
		{args: "org list --output json", golden: "org-list.json"},
		{args: "org deactivate h5D8B5gyHtk=", out: "org h5D8B5gyHtk= is deactivated; its tokens are void, and its API keys have ended for good\n"},
		{args: "org deactivate h5D8B5gyHtk= --output json", golden: "org-put.json"},
		{args: "org reactivate h5D8B5gyHtk=", out: "org h5D8B5gyHtk= is active again; its old tokens remain void, and its programs need new API keys\n"},
		{args: "org void-tokens h5D8B5gyHtk=", out: "org h5D8B5gyHtk= has no valid tokens anymore; its API keys have ended for good, and its programs need new ones\n"},
		{args: "org delete h5D8B5gyHtk=", out: "org h5D8B5gyHtk= is deleted\n"},
		{args: "org delete h5D8B5gyHtk= --with-clients-and-customers", out: "org h5D8B5gyHtk= is deleted with 3 clients and 700 customers\n"},
		{args: "org delete h5D8B5gyHtk= --with-clients-and-customers --output json", out: "{\n  \"deleted\": \"h5D8B5gyHtk=\",\n  \"clients\": 3,\n  \"customers\": 700\n}\n"},
		{args: "org delete h5D8B5gyHtk= --output json", out: "{\n  \"deleted\": \"h5D8B5gyHtk=\"\n}\n"},

		{args: put, golden: "customer-put.txt"},
		{args: put + " --output json", golden: "customer-put.json"},
		{args: "customer show 10001", golden: "customer-show.txt"},
		{args: "customer show 10001 --output json", golden: "customer-show.json"},
		{args: "customer list", golden: "customer-list.txt"},
		{args: "customer list --org h5D8B5gyHtk= --output json", golden: "customer-list.json"},
		{args: "customer deactivate 10001", out: "customer 10001 is deactivated and its tokens are void\n"},
		{args: "customer deactivate 10001 --output json", golden: "customer-put.json"},
		{args: "customer reactivate 10001", out: "customer 10001 is active again; its old tokens remain void\n"},
		{args: "customer void-tokens 10001", out: "customer 10001 has no valid tokens anymore\n"},
		{args: "customer reset-codes 10001", out: "customer 10001 is unlocked and its count of wrong codes is reset\n"},
		{args: "customer reset-codes 10001 --output json", golden: "customer-show.json"},
		{args: "customer reset-codes 10001 --sent", out: "customer 10001 is unlocked and its counts of wrong codes and of sent codes are reset\n"},
		{args: "customer mute 10001", out: "customer 10001 gets no codes until 2026-01-03T03:04:05Z\n"},
		{args: "customer unmute 10001", out: "customer 10001 gets codes again\n"},
		{args: "customer list --phone +15555550136", golden: "customer-find.txt"},
		{args: "customer list --phone +15555550136 --output json", golden: "customer-find.json"},
		{args: "customer list --locked", golden: "customer-find.txt", code: exitFound},
		{args: "customer delete 10001", out: "customer 10001 is deleted\n"},
		{args: "customer delete 10001 --output json", out: "{\n  \"deleted\": \"10001\"\n}\n"},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			got := f.run(t, "", strings.Fields(tt.args)...)
			if tt.golden != "" {
				golden(t, tt.golden, got.out)
				got.out = ""
			}
			got.is(t, result{code: tt.code, out: tt.out})
		})
	}
}

// An error of the server is printed with the attribute that is wrong.
func TestCustomerRefused(t *testing.T) {
	f := newFakeAdmin(t, map[string]reply{"PUT /customers/10001": {400, `{"error":"invalid_request","error_description":"an individual has no authorised users","field":"authorized_users"}`}})
	got := f.run(t, "", "customer", "put", "10001", "--org", "o", "--type", "individual", "--phone", "+15555550136", "--authorized-user", "Jane +15555550199")
	got.is(t, result{code: exitUsage, err: "grantd: --authorized-user: an individual has no authorised users\n"})
}
