defmodule Ledger.MixProject do
  use Mix.Project

  def project, do: [app: :ledger, version: "1.0.0", elixir: "~> 1.14", deps: []]

  # Mnesia is started by the application, once its schema is there.
  def application,
    do: [
      extra_applications: [:logger],
      included_applications: [:mnesia],
      mod: {Ledger, []}
    ]
end
