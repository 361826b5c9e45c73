using System.Buffers.Binary;
using System.IO.Compression;

namespace Vfio.OracleReplay.Recording;

/// <summary>A file as gzip writes it (RFC 1952).</summary>
internal static class GzipFile
{
    private const int HeaderLength = 10, TrailerLength = 8;
    private static ReadOnlySpan<byte> Magic => [0x1F, 0x8B, 8];

    public static bool IsOne(ReadOnlySpan<byte> contents) => contents.StartsWith(Magic[..2]);

    /// <summary>Decompresses as far as there is something.</summary>
    /// <returns>What could be had, and what is wrong with the rest; null for nothing.</returns>
    public static (byte[] Data, string? Problem) Decompress(byte[] contents)
    {
        using var data = new MemoryStream();
        try
        {
            using var gzip = new GZipStream(new MemoryStream(contents), CompressionMode.Decompress);
            gzip.CopyTo(data);
        }
        catch (InvalidDataException e)
        {
            return (data.ToArray(), $"the compressed file is damaged after this line: {e.Message}");
        }

        // The stream takes the end of a file for the end of its data wherever it comes; the length that gzip puts last tells.
        return (data.ToArray(), IsWhole(contents, (uint)data.Length) ? null : "the compressed file breaks off after this line");
    }

    private static bool IsWhole(ReadOnlySpan<byte> contents, uint length)
        => contents.Length >= HeaderLength + TrailerLength
            && (BinaryPrimitives.ReadUInt32LittleEndian(contents[^sizeof(uint)..]) == length
                || contents[HeaderLength..].IndexOf(Magic) >= 0);
}
