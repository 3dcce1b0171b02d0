defmodule Crashing.MixProject do
  use Mix.Project

  def project, do: [app: :crashing, version: "0.1.0", elixir: "~> 1.14"]
  def application, do: [mod: {Crashing, []}]
end
