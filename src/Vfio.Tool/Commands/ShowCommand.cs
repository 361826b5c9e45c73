using System.CommandLine;
using System.Globalization;
using Microsoft.Extensions.Logging;
using Vfio.Tool.Output;
using Vfio.User;

namespace Vfio.Tool.Commands;

/// <summary><c>vfio show</c></summary>
internal static class ShowCommand
{
    private const int BytesPerLine = 16;

    // Who looks leaves a device that its server keeps as it is.
    private static readonly VfioUserClientOptions Remote = new() { ResetOnOpen = false, CallTimeout = TimeSpan.FromSeconds(30) };

    public static Command Create(GlobalOptions options, Terminal terminal)
    {
        var function = GlobalOptions.Function();
        var json = GlobalOptions.Json();
        var hex = new Option<bool>("--hex", "-x") { Description = "Also the bytes of configuration space." };
        var driver = new Option<string?>("--driver") { Description = "Opened by this driver.", HelpName = "NAME" };
        var command = new Command(
            "show", "Opens a function's device and shows what a guest would see of it.") { function, driver, hex, json };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await Session.StartAsync(
                parsed, options, terminal, LogLevel.Warning, null, cancellationToken, Remote).ConfigureAwait(false);
            var found = session.Host.Find(parsed.GetRequiredValue(function));
            await using var opened = await session.Host.OpenAsync(
                found.Address, new() { Driver = parsed.GetValue(driver) }, cancellationToken).ConfigureAwait(false);
            var match = await session.Host.ExplainAsync(found.Address, null, cancellationToken).ConfigureAwait(false);
            var shown = await DeviceInspection.InspectAsync(
                found, opened, match, parsed.GetValue(hex), cancellationToken).ConfigureAwait(false);
            if (parsed.GetValue(json))
                terminal.Json(shown, ToolJson.Default.ShownFunction);
            else
                Print(terminal.Out, shown);
            return ExitCode.Done;
        });
        return command;
    }

    private static void Print(TextWriter text, ShownFunction shown)
    {
        text.WriteLine($"{shown.Address} {shown.Ids.Vendor[2..]}:{shown.Ids.Device[2..]} class {shown.Ids.Class[2..]}, {shown.Kind}"
            + (shown.Parent is { } parent ? $" of {parent}" : string.Empty)
            + (shown.Model is { } model ? $", model {model}" : string.Empty));
        text.WriteLine($"\tDriver: {shown.Driver}, profile {shown.Profile}");
        if (shown.Degraded is { } degraded)
            text.WriteLine($"\tDegraded: {degraded}");
        foreach (var (name, value) in shown.Description)
            text.WriteLine($"\t\t{name}: {value}");
        PrintRegisters(text, "\t", shown.Header);
        foreach (var region in shown.Regions)
        {
            text.WriteLine($"\tRegion {region.Index}: {region.Name}"
                + (region.Kind is { } kind ? $" at {region.Base} ({kind})" : string.Empty)
                + $" [size={Size(region.Size)}] {region.Flags}"
                + (region.MappableAreas is { } areas
                    ? $" mappable {string.Join(" ", areas.Select(a => $"{a.Offset:x}+{a.Size:x}"))}"
                    : string.Empty));
        }

        foreach (var irq in shown.Irqs)
            text.WriteLine($"\tIRQ: {irq.Name}, {irq.Count}, {irq.Flags}");
        text.WriteLine($"\tHot reset: {Words(shown.HotReset)}");
        foreach (var capability in shown.Capabilities)
        {
            text.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"\tCapabilities: [{capability.Offset:x2}{(capability.Extended ? " ext" : string.Empty)}] {capability.Name}"));
            PrintRegisters(text, "\t\t", capability.Registers);
        }

        text.WriteLine($"\tFeatures: {Words(shown.Features)}");
        text.WriteLine($"\tMigration: {Words(shown.Migration)}");
        if (shown.MigrationState is { } migration)
            text.WriteLine($"\tMigration state: {migration}");
        if (shown.Hex is { } hex)
            PrintHex(text, Convert.FromHexString(hex));
    }

    private static void PrintRegisters(TextWriter text, string indent, IReadOnlyList<Config.DecodedRegister> registers)
    {
        foreach (var register in registers)
            text.WriteLine($"{indent}{register.Name}: {string.Join(" ", register.Fields.Prepend(register.Value))}");
    }

    private static void PrintHex(TextWriter text, ReadOnlySpan<byte> bytes)
    {
        for (var at = 0; at < bytes.Length; at += BytesPerLine)
        {
            var line = bytes.Slice(at, BytesPerLine).ToArray().Select(b => b.ToString("x2", CultureInfo.InvariantCulture));
            text.WriteLine($"{at:x2}: {string.Join(' ', line)}");
        }
    }

    private static string Words(IReadOnlyList<string> words) => words.Count == 0 ? "none" : string.Join(" ", words);

    private static string Size(ulong bytes) => bytes switch
    {
        >= 1ul << 30 when bytes % (1ul << 30) == 0 => $"{bytes >> 30}G",
        >= 1ul << 20 when bytes % (1ul << 20) == 0 => $"{bytes >> 20}M",
        >= 1ul << 10 when bytes % (1ul << 10) == 0 => $"{bytes >> 10}K",
        _ => $"{bytes}",
    };
}
