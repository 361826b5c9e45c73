namespace Vfio.Core;

/// <summary>A BAR of a mediated device.</summary>
/// <param name="Index">0 to 5; a 64-bit one takes the next as well.</param>
/// <param name="Region">What is behind it: its size, how it is read, written and mapped. The register shows the next power of two.</param>
/// <param name="Kind">What it decodes.</param>
public sealed record MediatedBar(int Index, DeviceRegion Region, BarKind Kind = BarKind.Memory32);
