using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace Vfio.Core.Orchestration.Container;

/// <summary>The payload of <see cref="FrameKind.Refused"/>.</summary>
/// <param name="Error">The errno that fits.</param>
/// <param name="HasRun">Whether a device of the destination has run: then the source's are out of date.</param>
/// <param name="Reason">Why, for people.</param>
internal sealed record Refusal(Errno Error, bool HasRun, string Reason)
{
    private const int FixedSize = 8;
    private const uint DeviceHasRun = 1;

    public byte[] Write()
    {
        var text = Encoding.UTF8.GetBytes(Reason);
        var bytes = new byte[FixedSize + Math.Min(text.Length, ContainerFormat.MaxTextSize)];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, (uint)Error);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(4), HasRun ? DeviceHasRun : 0);
        text.AsSpan(0, bytes.Length - FixedSize).CopyTo(bytes.AsSpan(FixedSize));
        return bytes;
    }

    public static Refusal Read(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length is < FixedSize or > FixedSize + ContainerFormat.MaxTextSize)
            throw new MigrationStepException(Errno.EBADMSG, "the destination's refusal is malformed");
        var error = (Errno)BinaryPrimitives.ReadUInt32LittleEndian(bytes);
        var hasRun = (BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]) & DeviceHasRun) != 0;

        var text = Plain(Encoding.UTF8.GetString(bytes[FixedSize..]));
        return new(Enum.IsDefined(error) && error != Errno.None ? error : Errno.EIO, hasRun, text);
    }

    /// <summary>What the other side's text is shown as, on terminals too: whatever is no plain text is replaced.</summary>
    public static string Plain(string text) => string.Concat(text.Select(c => IsPlain(c) ? c : '?'));

    // Format characters turn the direction of what follows them, or are not to be seen.
    private static bool IsPlain(char c) => !char.IsControl(c)
        && char.GetUnicodeCategory(c) is not (UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator);
}
