defmodule Shapes.MixProject do
  use Mix.Project

  def project, do: [app: :shapes, version: "0.1.0", elixir: "~> 1.14"]
  def application, do: [mod: {Shapes, []}]
end
