using Vfio.WireVectors.Model;
using Vfio.WireVectors.Wire;

namespace Vfio.WireVectors.Running;

/// <summary>The client's side of DMA by messages: answers the server's commands during one request, and holds them against those expected.</summary>
internal sealed class ServedCommands(DmaSpec? spec, ClientFiles files)
{
    private const ushort DmaRead = 11, DmaWrite = 12;
    private const int AccessLength = 16;
    private int _served;

    /// <summary>Carries out a command and answers it.</summary>
    /// <returns>What is wrong with it; empty if nothing.</returns>
    public string[] Serve(WireMessage message, WireSocket from, bool isTwin, bool hasTwin)
    {
        if (message.Command is not (DmaRead or DmaWrite) || message.Body.Length < AccessLength)
            throw new InvalidDataException($"the server sends command {message.Command} with {message.Body.Length} bytes");
        var isWrite = message.Command == DmaWrite;
        var got = new DmaCommand(isWrite, BitConverter.ToUInt64(message.Body), BitConverter.ToUInt64(message.Body, 8));
        var expected = spec?.Commands.ElementAtOrDefault(_served++);
        var wrong = new List<string>();
        if (got != expected)
            wrong.Add($"expected {expected?.ToString() ?? "no more commands of the server's"}, got {got}");
        if (hasTwin && !isTwin)
            wrong.Add("the server does not use the twin socket that it gave");
        if ((ulong)(message.Body.Length - AccessLength) != (isWrite ? got.Count : 0))
            wrong.Add($"{got} comes with {message.Body.Length - AccessLength} bytes of data");

        var error = wrong.Count > 0 ? (int)Errno.EINVAL : spec!.Error;
        byte[] data = [];
        if (error == 0 && isWrite)
            files.Write(spec!.Memory, got.Address - spec.At, message.Body.AsSpan(AccessLength));
        else if (error == 0)
            data = files.Read(spec!.Memory, got.Address - spec.At, (int)got.Count);
        byte[] body = error == 0 ? [.. message.Body.AsSpan(0, AccessLength), .. data] : [];
        var flags = WireMessage.ReplyType | (error == 0 ? 0 : WireMessage.ErrorFlag);
        var header = WireMessage.Header(message.Id, message.Command, (uint)(WireMessage.HeaderLength + body.Length), flags, error);
        if (!from.Send([.. header, .. body], []))
            wrong.Add("the server has closed the connection");
        return [.. wrong];
    }

    /// <summary>What should have come and did not.</summary>
    public string[] Rest() => [.. (spec?.Commands.Skip(_served) ?? []).Select(command => $"expected {command}, and it did not come")];
}
