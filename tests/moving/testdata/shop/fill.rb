# Makes the table as Doorkeeper's migration does, and some applications. Prints the
# name, the id and the secret of each.
ActiveRecord::Schema.verbose = false
ActiveRecord::Schema.define do
  create_table :oauth_applications do |t|
    t.string :name, null: false
    t.string :uid, null: false
    t.string :secret, null: false
    t.text :redirect_uri, null: false
    t.string :scopes, null: false, default: ""
    t.boolean :confidential, null: false, default: true
    t.timestamps null: false
  end
end

[
  { name: "Billing", scopes: "users:read users:write" },
  { name: "Reports", scopes: "users:write" },
  { name: "App", scopes: "users:read", confidential: false },
  { name: "Anything" },
].each do |attributes|
  a = Doorkeeper::Application.create!(redirect_uri: "https://shop.example/callback", **attributes)
  puts [a.name, a.uid, a.plaintext_secret].join(" ")
end
