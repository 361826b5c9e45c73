namespace Vfio.Samples;

/// <summary>The command line of a sample server: switches, and one path.</summary>
internal sealed record SampleArguments(string Path, IReadOnlySet<char> Switches)
{
    /// <summary>Takes a command line apart.</summary>
    /// <param name="arguments">The command line.</param>
    /// <param name="known">The switches that there are.</param>
    /// <returns>The arguments; null if they are wrong.</returns>
    public static SampleArguments? Parse(string[] arguments, string known)
    {
        string? path = null;
        var switches = new HashSet<char>();
        for (var i = 0; i < arguments.Length; i++)
        {
            var argument = arguments[i];
            if (argument is "--socket-path" && path is null && i + 1 < arguments.Length)
                path = arguments[++i];
            else if (argument.StartsWith("--socket-path=", StringComparison.Ordinal) && path is null)
                path = argument["--socket-path=".Length..];
            else if (argument is ['-', _, ..] && argument.AsSpan(1).IndexOfAnyExcept(known) < 0)
                switches.UnionWith(argument[1..]);
            else if (argument is not ['-', ..] && path is null)
                path = argument;
            else
                return null;
        }

        return string.IsNullOrEmpty(path) ? null : new(path, switches);
    }
}
