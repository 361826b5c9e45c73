using System.Runtime.InteropServices;

namespace Vfio.OracleReplay.Wire;

/// <summary>Payloads of requests.</summary>
internal static class Payload
{
    /// <summary>Words of 32 bits, one after the other.</summary>
    public static byte[] Of(params ReadOnlySpan<uint> words) => MemoryMarshal.AsBytes(words).ToArray();

    /// <summary>The two words of a number of 64 bits.</summary>
    public static uint[] Long(ulong value) => [(uint)value, (uint)(value >> 32)];
}
