# Stands in the place of Hex in the image of a project that needs no package of it.
# Mix asks for the source of every dependency before it leaves out those of other
# environments, and fails where there is no Hex. Source: Mix.Dep.Loader and Mix.SCM of
# Elixir 1.14 to 1.18.
defmodule Hex do
  @moduledoc false
  def start, do: Mix.SCM.append(Hex.SCM)
  # Mix wants 2.0.6 or later, and asks to update what is older.
  def version, do: "99.0.0"
end

defmodule Hex.SCM do
  @moduledoc false
  @behaviour Mix.SCM

  @impl true
  def fetchable?, do: true
  @impl true
  def format(_), do: "Hex package"
  @impl true
  def format_lock(_), do: nil
  @impl true
  def accepts_options(app, opts), do: Keyword.put_new(opts, :hex, to_string(app))
  @impl true
  def checked_out?(opts), do: File.dir?(opts[:dest])
  @impl true
  def lock_status(_), do: :ok
  @impl true
  def equal?(a, b), do: a[:hex] == b[:hex]
  @impl true
  def managers(_), do: []
  @impl true
  def checkout(opts), do: refuse(opts)
  @impl true
  def update(opts), do: refuse(opts)

  defp refuse(opts), do: Mix.raise("this image has no Hex, as the project needed no package of it when it was built: #{opts[:hex]}")
end
