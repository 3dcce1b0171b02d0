defmodule Demo.JsonTest do
  use ExUnit.Case, async: true
  doctest Demo.Json

  test "what would break the text is escaped" do
    assert Demo.Json.encode(a: "say \"hi\"\\\n\tü") ==
             ~S({"a":"say \"hi\"\\\u000A\u0009ü"}) <> "\n"
  end
end
