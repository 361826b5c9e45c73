using System.Runtime.InteropServices;
using Vfio.User.Sessions;
using Vfio.User.Transport;
using Vfio.User.Wire;

namespace Vfio.User.Commands;

/// <summary>MIG_DATA_READ, MIG_DATA_WRITE and GET_PRECOPY_INFO: what the kernel has as read, write and an ioctl of the data_fd.</summary>
internal static class MigrationDataCommands
{
    /// <remarks>
    /// The reply is as long as was asked for, whatever is in it: libvfio-user's client receives just that. Fewer bytes than asked for are the
    /// end of what there is now; 0 the end of all.
    /// </remarks>
    public static VfioResult<int> Read(ClientSession session, Message request, Reply reply)
    {
        if (!TryRead(session, request, out var asked))
            return Errno.EINVAL;
        if (session.Migration is not { } migration)
            return Errno.ENOTTY;
        if (migration.Stream is not { IsSaving: true } stream)
            return Errno.EINVAL;
        var length = MigrationDataStructure.Size + (int)asked.Length;
        var payload = reply.PayloadMemory(length);
        var filled = Fill(session, stream, request, payload[MigrationDataStructure.Size..]);
        if (!filled.IsSuccess)
            return filled;
        var end = MigrationDataStructure.Size + filled.Value;
        payload.Span[end..].Clear();
        MemoryMarshal.Write(payload.Span, new MigrationDataStructure { ArgSize = (uint)end, Length = (uint)filled.Value });
        return length;
    }

    public static VfioResult<int> Write(ClientSession session, Message request, Reply reply)
    {
        if (!TryRead(session, request, out var asked) || (uint)(request.BodyLength - MigrationDataStructure.Size) < asked.Length)
            return Errno.EINVAL;
        if (session.Migration is not { } migration)
            return Errno.ENOTTY;
        if (migration.Stream is not { IsSaving: false } stream)
            return Errno.EINVAL;
        if (asked.Length == 0)
            return 0;
        var data = request.BodyMemory.Slice(MigrationDataStructure.Size, (int)asked.Length);
        var written = session.Wait.For(stream.WriteAsync(data, session.Wait.Token));
        return written.IsSuccess ? 0 : written.Error;
    }

    public static VfioResult<int> GetPrecopyInfo(ClientSession session, Message request, Reply reply)
    {
        if (!MemoryMarshal.TryRead<PrecopyInfoStructure>(request.Body, out var asked) || asked.ArgSize < PrecopyInfoStructure.Size)
            return Errno.EINVAL;
        if (session.Migration is not { } migration)
            return Errno.ENOTTY;
        if (migration.Stream is not { IsSaving: true } stream)
            return Errno.EINVAL;
        var found = migration.GetPrecopyInfo(stream);
        if (!found.IsSuccess)
            return found.Error;
        MemoryMarshal.Write(reply.Payload(PrecopyInfoStructure.Size), new PrecopyInfoStructure
        {
            ArgSize = PrecopyInfoStructure.Size,

            // The kernel gives back what it was given, unless the second version has been asked for.
            Flags = migration.HasPrecopyInfoV2 ? (found.Value.HasNewInitial ? PrecopyInfoStructure.FlagReinitialised : 0) : asked.Flags,
            InitialBytes = found.Value.InitialBytes,
            DirtyBytes = found.Value.DirtyBytes,
        });
        return PrecopyInfoStructure.Size;
    }

    private static bool TryRead(ClientSession session, Message request, out MigrationDataStructure asked)
        => MemoryMarshal.TryRead(request.Body, out asked) && asked.Length <= session.Client.DataTransfer
            && asked.ArgSize >= MigrationDataStructure.Size + (ulong)asked.Length;

    // What has been read is never given up: the stream does not go back. So the time ends the wait for more, and the reply is sent.
    private static VfioResult<int> Fill(ClientSession session, MigrationDataStream stream, Message request, Memory<byte> destination)
    {
        var filled = 0;
        while (filled < destination.Length)
        {
            var read = session.Wait.For(
                stream.ReadAsync(destination[filled..], session.Wait.Token), request.Arrived, session.Options.ReplyDeadline);
            if (!read.IsSuccess)
                return filled != 0 && read.Error is Errno.ENOMSG or Errno.ETIMEDOUT ? filled : read.Error;
            if (read.Value == 0)
                break;
            if ((uint)read.Value > (uint)(destination.Length - filled))
                throw new InvalidOperationException($"The device says that it read {read.Value} of {destination.Length - filled} bytes.");
            filled += read.Value;
        }

        return filled;
    }
}
