defmodule Ferry do
  @moduledoc false
  # What the release's env.sh exports.
  def exports do
    [script] = Path.wildcard("/app/_build/release/releases/*/env.sh")
    for "export " <> line <- String.split(File.read!(script), "\n"), do: line
  end
end
