using System.Buffers.Binary;
using System.Text;

namespace Vfio.Core.Orchestration.Container;

/// <summary>A device of the source, as the destination is told of it before anything else.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Identity">What must be the same on both sides.</param>
/// <param name="Capabilities">What it can do.</param>
/// <param name="IsPrecopied">Whether it is read while it runs.</param>
internal sealed record TableEntry(string Name, string Identity, MigrationCapabilities Capabilities, bool IsPrecopied);

/// <summary>The payload of <see cref="FrameKind.Table"/>.</summary>
internal static class DeviceTable
{
    private const int FixedSize = 16;
    private const uint Precopied = 1;
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    public static byte[] Write(IReadOnlyList<TableEntry> entries)
    {
        using var bytes = new MemoryStream();
        using var writer = new BinaryWriter(bytes, Strict);
        writer.Write((uint)entries.Count);
        foreach (var entry in entries)
        {
            var name = Strict.GetBytes(entry.Name);
            var identity = Strict.GetBytes(entry.Identity);
            writer.Write((ulong)entry.Capabilities);
            writer.Write(entry.IsPrecopied ? Precopied : 0u);
            writer.Write((ushort)name.Length);
            writer.Write((ushort)identity.Length);
            writer.Write(name);
            writer.Write(identity);
        }

        writer.Flush();
        return bytes.ToArray();
    }

    public static IReadOnlyList<TableEntry> Read(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < sizeof(uint))
            throw Malformed();
        var count = BinaryPrimitives.ReadUInt32LittleEndian(bytes);
        bytes = bytes[sizeof(uint)..];
        if (count is 0 or > ContainerFormat.MaxDevices)
            throw Malformed();
        var entries = new List<TableEntry>((int)count);
        while (entries.Count < count)
        {
            if (bytes.Length < FixedSize)
                throw Malformed();
            var capabilities = (MigrationCapabilities)BinaryPrimitives.ReadUInt64LittleEndian(bytes);
            var flags = BinaryPrimitives.ReadUInt32LittleEndian(bytes[8..]);
            var name = BinaryPrimitives.ReadUInt16LittleEndian(bytes[12..]);
            var identity = BinaryPrimitives.ReadUInt16LittleEndian(bytes[14..]);
            bytes = bytes[FixedSize..];
            entries.Add(new(Refusal.Plain(Text(ref bytes, name)), Text(ref bytes, identity), capabilities, (flags & Precopied) != 0));
        }

        return bytes.IsEmpty ? entries : throw Malformed();
    }

    private static string Text(ref ReadOnlySpan<byte> bytes, int size)
    {
        if (size > ContainerFormat.MaxTextSize || size > bytes.Length)
            throw Malformed();
        try
        {
            var text = Strict.GetString(bytes[..size]);
            bytes = bytes[size..];
            return text;
        }
        catch (DecoderFallbackException)
        {
            throw Malformed();
        }
    }

    private static MigrationStepException Malformed() => new(Errno.EBADMSG, "the migration's table of devices is malformed");
}
