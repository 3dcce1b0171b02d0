defmodule Crashing do
  @moduledoc "An application that crashes when it starts."
  use Application

  @impl true
  def start(_type, _args), do: raise("the database is not configured")
end
