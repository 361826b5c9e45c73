using System.CommandLine.Parsing;
using System.Globalization;

namespace Vfio.Tool;

/// <summary>Parsers of options' values, whose errors say what is wanted: the library's own name a .NET type.</summary>
internal static class OptionValues
{
    /// <summary>A whole number.</summary>
    public static int? Number(ArgumentResult given)
    {
        var text = given.Tokens[^1].Value;
        if (int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number))
            return number;
        given.AddError($"{Name(given)} {text}: it must be a whole number");
        return null;
    }

    /// <summary>A UUID in its usual form.</summary>
    public static Guid? Uuid(ArgumentResult given)
    {
        var text = given.Tokens[^1].Value;
        if (Guid.TryParseExact(text, "D", out var uuid))
            return uuid;
        given.AddError($"{Name(given)} {text}: it must be a UUID, as uuidgen prints them");
        return null;
    }

    private static string Name(ArgumentResult given) => given.Parent is OptionResult option ? option.Option.Name : given.Argument.Name;
}
