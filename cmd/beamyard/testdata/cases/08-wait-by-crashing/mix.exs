defmodule Grove.MixProject do
  use Mix.Project

  def project, do: [app: :grove, version: "0.1.0", elixir: "~> 1.14", start_permanent: true, deps: []]
  def application, do: [extra_applications: [:logger], mod: {Grove, []}]
end
