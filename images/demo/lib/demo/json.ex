defmodule Demo.Json do
  @moduledoc """
  Just as much JSON as the answers need: objects of numbers, booleans, texts
  and lists of texts. OTP has an encoder of its own only since release 27.
  """

  @doc """
  Encodes a keyword list as an object, with a newline.

      iex> Demo.Json.encode(node: :"app@n1.demo.test", nodes: [], value: 3)
      ~s({"node":"app@n1.demo.test","nodes":[],"value":3}\\n)
  """
  def encode(fields) do
    body = Enum.map_join(fields, ",", fn {key, value} -> text(key) <> ":" <> value(value) end)
    "{" <> body <> "}\n"
  end

  defp value(value) when is_integer(value) or is_boolean(value), do: to_string(value)
  defp value(list) when is_list(list), do: "[" <> Enum.map_join(list, ",", &value/1) <> "]"
  defp value(value), do: text(value)

  defp text(value) do
    escaped = for <<char::utf8 <- to_string(value)>>, into: "", do: escape(char)
    ~s(") <> escaped <> ~s(")
  end

  defp escape(?"), do: ~S(\")
  defp escape(?\\), do: ~S(\\)

  defp escape(char) when char < 0x20,
    do: "\\u" <> String.pad_leading(Integer.to_string(char, 16), 4, "0")

  defp escape(char), do: <<char::utf8>>
end
