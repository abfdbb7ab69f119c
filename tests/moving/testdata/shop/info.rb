# Gets a token as the application Billing does, and asks about it as its holder. Prints
# what Doorkeeper responds with a token, after its revocation, and without one.
require "rack/mock"

ActiveRecord::Schema.verbose = false
ActiveRecord::Schema.define do
  create_table :oauth_access_tokens do |t|
    t.references :resource_owner
    t.references :application, null: false
    t.string :token, null: false
    t.string :refresh_token
    t.integer :expires_in
    t.datetime :revoked_at
    t.datetime :created_at, null: false
    t.string :scopes
    t.string :previous_refresh_token, null: false, default: ""
  end
end

shop = Rack::MockRequest.new(Rails.application)
billing = Doorkeeper::Application.find_by!(name: "Billing")
issued = shop.post("/oauth/token", params: {
  grant_type: "client_credentials", client_id: billing.uid, client_secret: billing.secret, scope: "users:read users:write"
})
token = JSON.parse(issued.body).fetch("access_token")
ask = lambda do |headers|
  r = shop.get("/oauth/token/info", headers)
  { status: r.status, challenge: r.headers["WWW-Authenticate"], body: JSON.parse(r.body) }
end
held = { "HTTP_AUTHORIZATION" => "Bearer #{token}" }
active = ask.(held)
Doorkeeper::AccessToken.by_token(token).revoke
puts JSON.generate(active: active, revoked: ask.(held), none: ask.({}), uid: billing.uid)
