require "rails"
require "active_record/railtie"
require "action_controller/railtie"
require "doorkeeper"

# A minimal application with Doorkeeper, which the test fills and exports.
class Shop < Rails::Application
  config.eager_load = false
  config.secret_key_base = "0" * 64
  config.logger = Logger.new(nil)
  config.hosts.clear # info.rb asks it by a name that is none
end
