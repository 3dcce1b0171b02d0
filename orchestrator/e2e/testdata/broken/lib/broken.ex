defmodule Broken do
  @moduledoc "A module that does not compile."
  def hello, do: undefined_variable + 1
end
