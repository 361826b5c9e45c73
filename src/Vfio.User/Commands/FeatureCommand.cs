using System.Runtime.InteropServices;
using Vfio.User.Sessions;
using Vfio.User.Transport;
using Vfio.User.Wire;

namespace Vfio.User.Commands;

/// <summary>DEVICE_FEATURE.</summary>
internal static class FeatureCommand
{
    public static VfioResult<int> Carry(ClientSession session, Message request, Reply reply)
    {
        if (!MemoryMarshal.TryRead<FeatureStructure>(request.Body, out var asked)
            || asked.ArgSize is < FeatureStructure.Size or > Limits.DataTransfer)
        {
            return Errno.EINVAL;
        }

        var parsed = FeatureRequest.FromFlags(asked.Flags);
        if (!parsed.IsSuccess)
            return parsed.Error;
        if (IsAnsweredByCapability(parsed.Value.Id))
            return Errno.ENOTTY;
        if (request.Descriptors.Count > 1)
            return Errno.EINVAL;

        // The argsz bounds both ways: the data that counts of the request, and the room for that of the reply.
        var input = (ReadOnlySpan<byte>)request.Body[FeatureStructure.Size..Math.Min(request.BodyLength, (int)asked.ArgSize)];
        var payload = reply.Payload(Math.Max((int)asked.ArgSize, FeatureStructure.Size + input.Length));
        payload.Clear();

        // Some features name an eventfd by a number of the client's; the descriptor itself comes beside the data. The device borrows it.
        using var eventFd = request.Descriptors.Count == 1 ? request.Descriptors.Take(0) : null;
        var wanted = parsed.Value with { EventFd = eventFd };
        var result = session.Device.Feature(wanted, input, payload[FeatureStructure.Size..(int)asked.ArgSize]);
        if (!result.IsSuccess)
            return result;
        var length = result.Value;
        if ((uint)length > asked.ArgSize - FeatureStructure.Size)
            throw new InvalidOperationException($"The device says that feature {parsed.Value.Id} takes {length} bytes.");
        if (length == 0 || parsed.Value.Operation.HasFlag(FeatureOperation.Probe))
        {
            // A probe, or a setting that gives nothing back: the request itself.
            input.CopyTo(payload[FeatureStructure.Size..]);
            length = input.Length;
        }
        else
        {
            asked.ArgSize = (uint)(FeatureStructure.Size + length);
        }

        MemoryMarshal.Write(payload, asked);
        return FeatureStructure.Size + length;
    }

    // These are no feature of the device itself (IMigration, IDmaLogging): absent as long as the server does not drive migration.
    private static bool IsAnsweredByCapability(int id) => id is FeatureId.Migration or FeatureId.MigrationDeviceState
        or FeatureId.DmaLoggingStart or FeatureId.DmaLoggingStop or FeatureId.DmaLoggingReport
        or FeatureId.MigrationDataSize or FeatureId.MigrationPrecopyInfoV2;
}
