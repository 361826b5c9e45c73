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
        var capability = CapabilityFeature.Find(parsed.Value.Id);
        if (capability is not null && capability.Absence(session) is not Errno.None and var absence)
            return absence;
        if (request.Descriptors.Count > 1)
            return Errno.EINVAL;

        // The argsz bounds both ways: the data that counts of the request, and the room for that of the reply.
        var input = (ReadOnlySpan<byte>)request.Body[FeatureStructure.Size..Math.Min(request.BodyLength, (int)asked.ArgSize)];
        var payload = reply.Payload((int)asked.ArgSize);
        payload.Clear();
        var output = payload[FeatureStructure.Size..];
        var result = capability is not null
            ? CarryCapability(session, capability, parsed.Value, input, output)
            : CarryDevice(session, request, parsed.Value, input, output);
        if (!result.IsSuccess)
            return result;
        var length = result.Value;
        if ((uint)length > (uint)output.Length)
            throw new InvalidOperationException($"The device says that feature {parsed.Value.Id} takes {length} bytes.");
        if (length == 0 || parsed.Value.Operation.HasFlag(FeatureOperation.Probe))
        {
            // A probe, or a setting that gives nothing back: the request itself.
            input.CopyTo(output);
            length = input.Length;
        }
        else
        {
            asked.ArgSize = (uint)(FeatureStructure.Size + length);
        }

        MemoryMarshal.Write(payload, asked);
        return FeatureStructure.Size + length;
    }

    private static VfioResult<int> CarryCapability(
        ClientSession session, CapabilityFeature capability, FeatureRequest wanted, ReadOnlySpan<byte> input, Span<byte> output)
    {
        // What a GET gives back needs room, and no data with it.
        var isSet = wanted.Operation.HasFlag(FeatureOperation.Set);
        var check = wanted.Check(capability.Supported, isSet ? input.Length : output.Length, capability.Minimum);
        if (!check.IsSuccess)
            return check.Error;
        return check.Value ? capability.Carry(session, isSet, input, output) : 0;
    }

    private static VfioResult<int> CarryDevice(
        ClientSession session, Message request, FeatureRequest wanted, ReadOnlySpan<byte> input, Span<byte> output)
    {
        // Some features name an eventfd by a number of the client's; the descriptor itself comes beside the data. The device borrows it.
        using var eventFd = request.Descriptors.Count == 1 ? request.Descriptors.Take(0) : null;
        return session.Device.Feature(wanted with { EventFd = eventFd }, input, output);
    }
}
