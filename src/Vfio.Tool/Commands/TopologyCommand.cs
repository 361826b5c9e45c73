using System.CommandLine;
using Vfio.Simulation;
using Vfio.Tool.Output;

namespace Vfio.Tool.Commands;

/// <summary><c>vfio topology</c></summary>
internal static class TopologyCommand
{
    public static Command Create(Terminal terminal)
    {
        var check = new Option<FileInfo?>("--check") { Description = "Validates this file instead, and names the line at fault.", HelpName = "FILE" };
        var command = new Command("topology", "Prints the embedded topology, as a starting point for one of your own.") { check };
        command.SetAction(parsed =>
        {
            if (parsed.GetValue(check) is { } file)
            {
                Topologies.Read(file);
                terminal.Out.WriteLine($"{file}: ok");
            }
            else
            {
                terminal.Out.WriteLine(TopologyDefinition.Default.ToJson());
            }

            return ExitCode.Done;
        });
        return command;
    }
}
