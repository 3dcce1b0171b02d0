defmodule Single.MixProject do
  use Mix.Project

  def project, do: [app: :single, version: "1.0.0", elixir: "~> 1.14", deps: []]
  def application, do: [extra_applications: [:logger], mod: {Single.Application, []}]
end
