using Vfio.Hosting;

namespace Vfio.Tool.Commands;

/// <summary>A function as <c>vfio list --json</c> has it.</summary>
internal sealed record ListedFunction(
    string Address,
    string Kind,
    string? Parent,
    FunctionIds Ids,
    string? Model,
    string Mode,
    string? Driver,
    string? Reason,
    string? Profile,
    IReadOnlyList<string> Migration)
{
    // Every function that a source of this version offers is there to be assigned.
    private const string VfioMode = "vfio";

    public static ListedFunction From(IPciFunction function, FunctionMatch match)
        => new(
            function.Address.ToString(),
            KindOf(function),
            function.PhysicalFunction?.ToString(),
            FunctionIds.From(function.Id),
            function.Model,
            VfioMode,
            match.Driver,
            match.Reason,
            match.Profile,
            match.Migration);

    public static string KindOf(IPciFunction function) => function.VirtualFunctionIndex >= 0 ? "VF" : "PF";
}

/// <summary>A function's ids, as sysfs writes them.</summary>
internal sealed record FunctionIds(string Vendor, string Device, string Subvendor, string Subdevice, string Class)
{
    public static FunctionIds From(PciId id)
        => new(
            $"0x{id.Vendor:x4}", $"0x{id.Device:x4}", $"0x{id.SubsystemVendor:x4}", $"0x{id.SubsystemDevice:x4}", $"0x{id.ClassCode:x6}");
}
