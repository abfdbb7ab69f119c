package cli

// devText is the text/template that 'grantd dev' prints for a demo. Its lines
// that begin with curl, TOKEN= or sleep run in a shell as they are, in order. So do
// those about a customer, but a person types the code in between.
const devText = `# A grantd sandbox is running. Nothing here is kept: Ctrl-C stops it and removes
# its data. Open another terminal and paste the lines below, one after another.
#
#   client            {{.Client.ClientID}}
#   its secret        {{.Client.ClientSecret}}
#   its scope         {{.Client.Scope}}
#   resource server   {{.ResourceServer.ClientID}}
#   its secret        {{.ResourceServer.ClientSecret}}
#   demo API          {{.APIURL}}
#   public URL        {{.PublicURL}}
#   admin socket      {{.AdminSocket}}

# 1. The client asks for a token, with its secret in HTTP Basic and a form ...
curl -sS -w '\n' -u '{{.Client.ClientID}}:{{.Client.ClientSecret}}' -d grant_type=client_credentials -d 'scope={{.Client.Scope}}' '{{.TokenURL}}'

# ... or with its secret in the form ...
curl -sS -w '\n' -d client_id={{.Client.ClientID}} -d 'client_secret={{.Client.ClientSecret}}' -d grant_type=client_credentials '{{.TokenURL}}'

# ... or in JSON.
curl -sS -w '\n' -H 'Content-Type: application/json' -d '{"client_id": "{{.Client.ClientID}}", "client_secret": "{{.Client.ClientSecret}}", "grant_type": "client_credentials", "scope": "{{.Client.Scope}}"}' '{{.TokenURL}}'

# 2. Keep a token in a variable.
TOKEN=$(curl -sS -u '{{.Client.ClientID}}:{{.Client.ClientSecret}}' -d grant_type=client_credentials '{{.TokenURL}}' | sed -n 's/.*"access_token":"\([^"]*\)".*/\1/p'); echo "$TOKEN"

# 3. Call the demo API with it. It is the resource server: a few lines of Go with the
# package scopes/guard, which asks grantd about the token once and then remembers it.
curl -sS -w '\n' -H "Authorization: Bearer $TOKEN" '{{.APIURL}}'

# Without that package, a resource server asks grantd whether the token is active.
curl -sS -w '\n' -u '{{.ResourceServer.ClientID}}:{{.ResourceServer.ClientSecret}}' -d "token=$TOKEN" '{{.IntrospectURL}}'

# 4. The client no longer needs the token and revokes it.
curl -sS -w '\n' -u '{{.Client.ClientID}}:{{.Client.ClientSecret}}' -d "token=$TOKEN" '{{.RevokeURL}}'

# 5. The same questions as in 3. The token is no longer active, and the demo API, which
# was told, refuses it: at once, as a rule, and within a second always.
curl -sS -w '\n' -u '{{.ResourceServer.ClientID}}:{{.ResourceServer.ClientSecret}}' -d "token=$TOKEN" '{{.IntrospectURL}}'
sleep 1; curl -sS -w '\n' -H "Authorization: Bearer $TOKEN" '{{.APIURL}}'

# 6. As the operator, list the clients, and ask why the token is not active.
'{{.Program}}' client list --socket '{{.AdminSocket}}'
printf %s "$TOKEN" | '{{.Program}}' token explain --socket '{{.AdminSocket}}'

# An MCP server is a resource server too. The official MCP SDKs work with this grantd.
'{{.Program}}' client create --socket '{{.AdminSocket}}' --id demo-mcp --introspect --mcp http://127.0.0.1:8000/mcp

# A program that cannot request tokens gets an API key of its org.
'{{.Program}}' key create --socket '{{.AdminSocket}}' --org {{.Backend.OrgID}} --owner demo --name demo --scope cards

# 7. The backend of an org makes a token that reaches only one customer. Reading
# needs no code ...
BACKEND=$(curl -sS -u '{{.Backend.ClientID}}:{{.Backend.ClientSecret}}' -d grant_type=client_credentials '{{.TokenURL}}' | sed -n 's/.*"access_token":"\([^"]*\)".*/\1/p')
ask() { curl -sS -w '\n' -H 'Content-Type: application/vnd.api+json' -H "Authorization: Bearer $BACKEND" -d "{\"data\":$2}" "{{.CustomerURL}}/$1"; }
ask token '{"type":"customerToken","attributes":{"scope":"cards"}}'

# ... and writing needs one, which grantd's terminal shows: type it when read waits.
VERIFICATION=$(ask token/verification '{"type":"customerTokenVerification","attributes":{"channel":"sms"}}' | sed -n 's/.*"verificationToken":"\([^"]*\)".*/\1/p')
read -r CODE
ask token '{"type":"customerToken","attributes":{"scope":"cards cards-write","verificationToken":"'"$VERIFICATION"'","verificationCode":"'"$CODE"'"}}'

`
