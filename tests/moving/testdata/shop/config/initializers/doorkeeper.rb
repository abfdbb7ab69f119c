Doorkeeper.configure do
  orm :active_record
  default_scopes "users:read"
  optional_scopes "users:write"
  access_token_expires_in 2.hours
  grant_flows %w[client_credentials]
  case ENV["SECRETS"]
  when "sha256" then hash_application_secrets
  when "bcrypt" then hash_application_secrets using: "::Doorkeeper::SecretStoring::BCrypt"
  end
end
