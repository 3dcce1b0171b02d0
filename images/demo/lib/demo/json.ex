defmodule Demo.Json do
  @moduledoc """
  Just as much JSON as the answers need: objects of numbers, booleans, texts
  and lists of those. OTP has an encoder of its own only since release 27.
  """

  @doc """
  Encodes a keyword list as an object, with a newline.

  Bytes that are no UTF-8 become U+FFFD, as JSON has no way to say them.

      iex> Demo.Json.encode(node: :"app@n1.demo.test", nodes: [], value: 3)
      ~s({"node":"app@n1.demo.test","nodes":[],"value":3}\\n)
  """
  @spec encode(keyword) :: String.t()
  def encode(fields) do
    body = Enum.map_join(fields, ",", fn {key, value} -> text(key) <> ":" <> value(value) end)
    "{" <> body <> "}\n"
  end

  defp value(value) when is_integer(value) or is_boolean(value), do: to_string(value)
  defp value(list) when is_list(list), do: "[" <> Enum.map_join(list, ",", &value/1) <> "]"
  defp value(value), do: text(value)

  defp text(value), do: ~s(") <> escape(to_string(value), "") <> ~s(")

  # RFC 8259, section 7: the quote, the backslash and the control characters.
  defp escape("", done), do: done

  defp escape(<<c, rest::binary>>, done) when c in [?", ?\\],
    do: escape(rest, <<done::binary, ?\\, c>>)

  defp escape(<<c, rest::binary>>, done) when c < 0x20, do: escape(rest, done <> control(c))
  defp escape(<<c::utf8, rest::binary>>, done), do: escape(rest, <<done::binary, c::utf8>>)
  defp escape(<<_, rest::binary>>, done), do: escape(rest, done <> "\uFFFD")

  defp control(c), do: "\\u" <> String.pad_leading(Integer.to_string(c, 16), 4, "0")
end
