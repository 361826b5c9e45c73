using System.Globalization;
using System.Text;

namespace Vfio.Core.Tests.Model;

/// <summary>A capability of a generated function.</summary>
/// <param name="Id">Its id.</param>
/// <param name="At">Where it starts.</param>
/// <param name="Body">What follows its header; as much of it as it is long is there.</param>
/// <param name="Next">Its next pointer, where it is not that of the capability behind it in the chain.</param>
internal sealed record CapabilitySpec(int Id, int At, byte[] Body, int? Next = null)
{
    public override string ToString()
        => $"{Id:x2}@{At:x}{(Next is { } next ? $"->{next:x}" : "")} {Convert.ToHexString(Body.AsSpan(0, Math.Min(16, Body.Length)))}";
}

/// <summary>What a client does.</summary>
internal abstract record ModelStep;

internal sealed record ReadStep(int Offset, int Width) : ModelStep;

internal sealed record WriteStep(int Offset, byte[] Data) : ModelStep
{
    public override string ToString() => $"WriteStep {{ Offset = {Offset:x}, Data = {Convert.ToHexString(Data)} }}";
}

/// <summary>Enables this many MSI vectors without eventfds; 0 disables them.</summary>
internal sealed record MsiStep(int Vectors) : ModelStep;

/// <summary>A reset that nobody saw: the BARs are gone.</summary>
internal sealed record BackdoorStep : ModelStep;

/// <summary>A function and what is done to it.</summary>
internal sealed record ConfigCase
{
    public required int Size { get; init; }

    public required bool IsVf { get; init; }

    /// <summary>Fills registers and decides which bits are writable; 0: zeros, all writable.</summary>
    public required int Fill { get; init; }

    public required bool HasIntxDisable { get; init; }

    public required BarKind?[] Bars { get; init; }

    public required CapabilitySpec[] Standard { get; init; }

    public required CapabilitySpec[] Extended { get; init; }

    public required ModelStep[] Steps { get; init; }

    /// <summary>Whether a chain leads to nothing but what the case has there: no pointer into the middle, nothing written over.</summary>
    public bool Describes(ReferenceMap map)
        => map.Entries.TrueForAll(entry => Standard.Concat(Extended).Any(capability => (capability.Id, capability.At) == entry));

    public override string ToString()
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"\n  size {Size:x}, VF {IsVf}, fill {Fill}, DisINTx {HasIntxDisable}, ");
        text.AppendLine(CultureInfo.InvariantCulture, $"bars {string.Join(' ', Bars.Select(bar => bar?.ToString() ?? "-"))}");
        foreach (var capability in Standard)
            text.AppendLine(CultureInfo.InvariantCulture, $"  standard {capability}");
        foreach (var capability in Extended)
            text.AppendLine(CultureInfo.InvariantCulture, $"  extended {capability}");
        foreach (var step in Steps)
            text.AppendLine(CultureInfo.InvariantCulture, $"  {step}");
        return text.ToString();
    }
}
