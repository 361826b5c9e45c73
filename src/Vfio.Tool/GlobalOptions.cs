using System.CommandLine;

namespace Vfio.Tool;

/// <summary>Where functions and plugins come from, and in which form they are shown: the same for every command.</summary>
internal sealed class GlobalOptions
{
    public Option<FileInfo?> Topology { get; } = new("--topology")
    {
        Description = "Simulated functions from this JSON file instead of the embedded topology.",
        HelpName = "FILE",
        Recursive = true,
    };

    public Option<string[]> Remote { get; } = new("--remote")
    {
        Description = "A function that another process serves over vfio-user on this socket, instead of the embedded topology. Repeatable: "
            + "the first is ffff:00:00.0, the second ffff:00:01.0.",
        HelpName = "SOCKET",
        Recursive = true,
        Arity = ArgumentArity.OneOrMore,
        AllowMultipleArgumentsPerToken = false,
    };

    public Option<string[]> Plugins { get; } = new("--plugins")
    {
        Description = "A directory of plugin folders, besides the one beside the tool. Repeatable.",
        HelpName = "DIR",
        Recursive = true,
        Arity = ArgumentArity.OneOrMore,
        AllowMultipleArgumentsPerToken = false,
    };

    public Option<bool> Verbose { get; } = new("--verbose", "-v")
    {
        Description = "More of what happens, on stderr.",
        Recursive = true,
    };

    public void AddTo(RootCommand root)
    {
        root.Add(Topology);
        root.Add(Remote);
        root.Add(Plugins);
        root.Add(Verbose);
    }

    /// <summary>The option of the commands that show something.</summary>
    public static Option<bool> Json() => new("--json") { Description = "One JSON document on stdout, and nothing else." };

    public static Argument<string> Function() => new("function")
    {
        Description = "A PCI address, or the unique end of one.",
        HelpName = "FUNCTION",
    };
}
