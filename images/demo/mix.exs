defmodule Demo.MixProject do
  use Mix.Project

  def project do
    [
      app: :demo,
      version: "1.0.0",
      elixir: "~> 1.14",
      start_permanent: Mix.env() == :prod,
      deps: [],
      # The tests' helper starts the application, on a free port.
      aliases: [test: "test --no-start"]
    ]
  end

  def application do
    [extra_applications: [:logger], mod: {Demo.Application, []}]
  end
end
